"""Batches that wait for a person's answer, and the answers."""

import json
from datetime import datetime
from typing import Any

from automl_assets.core.records import Answer, Quarantined
from resources.platform_database import PlatformDatabase
from resources.records.tables import insert_new, loaded, stored, table


class Quarantine:
    """The quarantine of all pipelines; a batch is known by its key and its content's digest."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def put(self, waiting: Quarantined) -> None:
        """Put a batch aside, once for the same content."""
        with self._database.connection() as connection:
            insert_new(connection, "quarantine", quarantine_row(waiting))

    def of(self, pipeline: str) -> list[Quarantined]:
        """A pipeline's quarantine, newest first."""
        rows = table("quarantine")
        query = rows.select().where(rows.c.pipeline == pipeline).order_by(rows.c.id.desc())
        with self._database.connection() as connection:
            return [_quarantined(row) for row in connection.execute(query).mappings()]

    def answer(self, waiting: Quarantined, answer: Answer, *, actor: str, why: str, at: datetime) -> None:
        """Note a person's answer; a later one replaces it."""
        rows = table("quarantine")
        values = {"answer": answer, "actor": actor, "why": why, "answered_at": stored(at)}
        with self._database.connection() as connection:
            connection.execute(rows.update().where(rows.c.id == waiting.id).values(**values))


def quarantine_row(waiting: Quarantined) -> dict[str, object]:
    """A quarantined batch as its table holds it."""
    names = ("pipeline", "batch", "digest", "answer", "actor", "why")
    return {
        **{name: getattr(waiting, name) for name in names},
        "at": stored(waiting.at),
        "reasons": json.dumps(list(waiting.reasons)),
        "answered_at": stored(waiting.answered_at) if waiting.answered_at else None,
    }


def _quarantined(row: Any) -> Quarantined:
    names = ("pipeline", "batch", "digest", "answer", "actor", "why", "id")
    return Quarantined(
        **{name: row[name] for name in names},
        reasons=tuple(json.loads(row["reasons"])),
        at=loaded(row["at"]),
        answered_at=loaded(row["answered_at"]) if row["answered_at"] else None,
    )
