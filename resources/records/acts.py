"""Who moved a champion, when and why."""

from collections.abc import Sequence
from typing import Any

from automl_assets.core.records import Act
from resources.platform_database import PlatformDatabase
from resources.records.tables import loaded, stored, table


class Acts:
    """The moves of champions, newest first."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def record(self, act: Act) -> None:
        """Write down what is about to happen; once, when a killed attempt wrote it down already.

        Raises:
            StorageError: the database does not answer, or a newer version wrote it.
        """
        newest = next(iter(self.of(act.pipeline, most=1)), None)
        if newest is not None and newest.same_move_as(act):
            return
        with self._database.connection() as connection:
            connection.execute(table("act").insert().values(**_row(act)))

    def of(self, pipeline: str, *, most: int | None = None) -> Sequence[Act]:
        """What happened to a pipeline's champion, newest first."""
        acts = table("act")
        query = acts.select().where(acts.c.pipeline == pipeline).order_by(acts.c.id.desc()).limit(most)
        with self._database.connection() as connection:
            return [_act(row) for row in connection.execute(query).mappings()]


def _act(row: Any) -> Act:
    return Act(
        pipeline=row["pipeline"],
        what=row["what"],
        actor=row["actor"],
        reason=row["reason"],
        before=row["version_before"],
        after=row["version_after"],
        at=loaded(row["at"]),
    )


def _row(act: Act) -> dict[str, object]:
    return {
        "at": stored(act.at),
        "pipeline": act.pipeline,
        "what": act.what,
        "actor": act.actor,
        "reason": act.reason,
        "version_before": act.before,
        "version_after": act.after,
    }
