"""What is to be done, is being done and was done about verdicts: an action's key is unique, so it is done once."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from automl_assets.core.records import Action, ActionState, now
from resources.platform_database import PlatformDatabase
from resources.records.tables import insert_new, loaded, stored, table

UNFINISHED: tuple[ActionState, ...] = ("pending", "requested")


class Actions:
    """The actions of all pipelines."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def add(self, action: Action) -> bool:
        """Write an action down; False where its key is known already."""
        with self._database.connection() as connection:
            return insert_new(connection, "action", action_row(action))

    def unfinished(self, kind: str) -> list[Action]:
        """Every pipeline's actions of a kind that are pending or requested, oldest first, in one query."""
        actions = table("action")
        query = actions.select().where(actions.c.state.in_(UNFINISHED), actions.c.kind == kind).order_by(actions.c.id)
        with self._database.connection() as connection:
            return [_action(row) for row in connection.execute(query).mappings()]

    def requested_since(self, kind: str, since: datetime) -> dict[str, list[datetime]]:
        """When actions of a kind were requested since a time, by pipeline, in one query."""
        actions = table("action")
        query = actions.select().where(actions.c.kind == kind, actions.c.requested_at >= stored(since))
        found: dict[str, list[datetime]] = {}
        with self._database.connection() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["pipeline"], []).append(loaded(row["requested_at"]))
        return found

    def of(self, pipeline: str, *, kinds: Sequence[str] = (), most: int | None = None) -> list[Action]:
        """A pipeline's actions, newest first; of some kinds only, where any are named."""
        actions = table("action")
        query = actions.select().where(actions.c.pipeline == pipeline).order_by(actions.c.id.desc()).limit(most)
        if kinds:
            query = query.where(actions.c.kind.in_(kinds))
        with self._database.connection() as connection:
            return [_action(row) for row in connection.execute(query).mappings()]

    def request(self, action: Action, run_id: str, at: datetime) -> None:
        """Note that an action's run has been seen."""
        self._update(action, state="requested", run_id=run_id, requested_at=stored(at))

    def finish(
        self, action: Action, state: ActionState, outcome: str, *, payload: Mapping[str, Any] | None = None
    ) -> None:
        """Note how an action ended; `payload` is added to what it holds."""
        document = json.dumps({**action.payload, **(payload or {})})
        self._update(action, state=state, outcome=outcome, done_at=stored(now()), payload=document)

    def purge(self, before: datetime) -> int:
        """Delete finished actions that are older; how many there were."""
        actions = table("action")
        gone = actions.delete().where(actions.c.at < stored(before), actions.c.state.not_in(UNFINISHED))
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount

    def _update(self, action: Action, **values: object) -> None:
        actions = table("action")
        mine = (actions.c.pipeline == action.pipeline) & (actions.c.key == action.key)
        with self._database.connection() as connection:
            connection.execute(actions.update().where(mine).values(**values))


def action_row(action: Action) -> dict[str, object]:
    """An action as its table holds it."""
    names = ("pipeline", "kind", "key", "reason", "state", "finding", "run_id", "outcome", "actor")
    return {
        **{name: getattr(action, name) for name in names},
        "at": stored(action.at),
        "payload": json.dumps(dict(action.payload)),
        "requested_at": stored(action.requested_at) if action.requested_at else None,
        "done_at": stored(action.done_at) if action.done_at else None,
    }


def _action(row: Any) -> Action:
    names = ("pipeline", "kind", "key", "reason", "state", "finding", "run_id", "outcome", "actor", "id")
    return Action(
        **{name: row[name] for name in names},
        at=loaded(row["at"]),
        payload=json.loads(row["payload"]),
        requested_at=loaded(row["requested_at"]) if row["requested_at"] else None,
        done_at=loaded(row["done_at"]) if row["done_at"] else None,
    )
