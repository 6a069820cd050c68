"""What monitoring decided, and what follows from it, written down together or not at all."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from automl_assets.core.evidence import Verdict
from automl_assets.core.records import Action, Quarantined, VerdictRow
from resources.platform_database import PlatformDatabase
from resources.records.actions import action_row
from resources.records.quarantine import quarantine_row
from resources.records.tables import insert_new, loaded, stored, table


class Verdicts:
    """The verdicts of all pipelines."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def record(
        self, row: VerdictRow, actions: Sequence[Action] = (), quarantined: Sequence[Quarantined] = ()
    ) -> VerdictRow:
        """Write a verdict and what follows in one transaction; the earlier row where the finding is known already.

        Raises:
            StorageError: the database does not answer.
        """
        with self._database.connection() as connection:
            if insert_new(connection, "verdict", _row(row)):
                for action in actions:
                    insert_new(connection, "action", action_row(action))
                for waiting in quarantined:
                    insert_new(connection, "quarantine", quarantine_row(waiting))
        written = self.find(row.verdict.pipeline, row.verdict.finding)
        assert written is not None
        return written

    def find(self, pipeline: str, finding: str) -> VerdictRow | None:
        """The verdict about a finding, or None."""
        verdicts = table("verdict")
        query = verdicts.select().where(verdicts.c.pipeline == pipeline, verdicts.c.finding == finding)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return _verdict(row) if row is not None else None

    def of(self, pipeline: str, *, most: int | None = None) -> list[VerdictRow]:
        """A pipeline's verdicts, newest first."""
        verdicts = table("verdict")
        query = verdicts.select().where(verdicts.c.pipeline == pipeline).order_by(verdicts.c.id.desc()).limit(most)
        with self._database.connection() as connection:
            return [_verdict(row) for row in connection.execute(query).mappings()]

    def looked_back_at(self, pipeline: str, champion: str, *, most: int) -> list[VerdictRow]:
        """What a decision needs: the newest verdicts, the newest measured, and the champion's first measured."""
        verdicts = table("verdict")
        mine = verdicts.select().where(verdicts.c.pipeline == pipeline)
        measured = mine.where(verdicts.c.measured.is_(True))
        newest_first = (verdicts.c.sequence.desc(), verdicts.c.id.desc())
        queries = (
            mine.order_by(*newest_first).limit(most),
            measured.order_by(*newest_first).limit(1),
            measured.where(verdicts.c.champion == champion).order_by(verdicts.c.sequence, verdicts.c.id).limit(1),
        )
        with self._database.connection() as connection:
            found = {row.id: row for query in queries for row in connection.execute(query).mappings()}
        rows = [_verdict(row) for row in found.values()]
        return sorted(rows, key=lambda row: (row.verdict.sequence, row.id), reverse=True)

    def purge(self, before: datetime) -> int:
        """Delete verdicts that are older, except each pipeline's newest; how many there were."""
        import sqlalchemy as sa

        verdicts = table("verdict")
        kept = sa.select(sa.func.max(verdicts.c.id)).group_by(verdicts.c.pipeline)
        gone = verdicts.delete().where(verdicts.c.at < stored(before), verdicts.c.id.not_in(kept))
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount


def _verdict(row: Any) -> VerdictRow:
    verdict = Verdict.model_validate(json.loads(row["document"]))
    return VerdictRow(verdict, loaded(row["at"]), row["run_id"], row["id"])


def _row(row: VerdictRow) -> dict[str, object]:
    verdict = row.verdict
    return {
        "at": stored(row.at),
        "run_id": row.run_id,
        "document": json.dumps(verdict.model_dump(mode="json")),
        **{name: getattr(verdict, name) for name in ("pipeline", "batch", "champion", "finding", "action", "sequence")},
        "acts": verdict.acts,
        "measured": verdict.measured,
    }
