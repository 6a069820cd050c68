"""Messages for people, from being written down until every channel took them or was given up on."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from automl_assets.core.records import Notice
from resources.platform_database import PlatformDatabase
from resources.records.tables import loaded, stored, table

if TYPE_CHECKING:
    import sqlalchemy as sa

DEDUPLICATED_FOR = timedelta(hours=24)
LONGEST_KEY = 256
MOST_AT_ONCE = 1_000
STATES = ("pending", "sent", "failed", "folded")


class Notices:
    """The notices of all pipelines."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def add(self, notice: Notice) -> bool:
        """Write a notice down unless one with its key was, less than a day before it; whether it was written.

        Of several processes that add the same at once, one does.

        Raises:
            StorageError: the database does not answer, or a newer version wrote it.
        """
        import sqlalchemy as sa

        row = _row(notice)
        notices = table("notice")
        same = sa.select(notices.c.id).where(
            notices.c.state.in_(STATES),  # all of them: the index begins with the state
            notices.c.pipeline == row["pipeline"],
            notices.c.key == row["key"],
            notices.c.at > row["at"] - DEDUPLICATED_FOR,
        )
        new = sa.select(*(sa.literal(value, notices.c[name].type) for name, value in row.items())).where(~same.exists())
        with self._database.connection() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number(notice))))
            added = connection.execute(notices.insert().from_select(list(row), new))
            return added.rowcount == 1

    def due(self, now: datetime, *, hold_seconds: float) -> list[Notice]:
        """The pending notices whose time has come, oldest first; no other process gets them for `hold_seconds`."""
        import sqlalchemy as sa

        notices = table("notice")
        ready = sa.and_(
            notices.c.state == "pending", sa.or_(notices.c.next_try.is_(None), notices.c.next_try <= stored(now))
        )
        first = sa.select(notices.c.id).where(ready).order_by(notices.c.id).limit(MOST_AT_ONCE)
        until = stored(now + timedelta(seconds=hold_seconds))
        claim = notices.update().where(notices.c.id.in_(first), ready).values(next_try=until).returning(*notices.c)
        with self._database.connection() as connection:
            found = [_notice(row) for row in connection.execute(claim).mappings()]
        return sorted(found, key=lambda notice: notice.id)

    def recent(self, since: datetime) -> list[Notice]:
        """What was written down since then, in any state, newest first; at most 1,000."""
        notices = table("notice")
        query = notices.select().order_by(notices.c.id.desc()).limit(MOST_AT_ONCE)
        with self._database.connection() as connection:
            found = [_notice(row) for row in connection.execute(query).mappings()]
        return [notice for notice in found if notice.at >= since]

    def settle(self, notice: Notice) -> None:
        """Write down what became of a pending notice."""
        changed = {name: _row(notice)[name] for name in ("state", "attempts", "delivered", "error", "next_try")}
        notices = table("notice")
        pending = notices.update().where(notices.c.id == notice.id, notices.c.state == "pending")
        with self._database.connection() as connection:
            connection.execute(pending.values(**changed))

    def put_off(self, waiting: Sequence[Notice], until: datetime | None) -> None:
        """Let pending notices wait until then; None: they are due."""
        notices = table("notice")
        of = notices.c.id.in_([notice.id for notice in waiting])
        pending = notices.update().where(of, notices.c.state == "pending")
        with self._database.connection() as connection:
            connection.execute(pending.values(next_try=stored(until) if until else None))

    def fold(self, digest: Notice, members: Sequence[Notice], *, hold_until: datetime) -> Notice:
        """Write a digest down and mark its members as folded into it, both or neither; the digest with its id.

        Args:
            hold_until: no other process sends the digest before.
        """
        notices = table("notice")
        row = {**_row(digest), "next_try": stored(hold_until)}
        of = notices.c.id.in_([notice.id for notice in members])
        with self._database.connection() as connection:
            written = connection.execute(notices.insert().values(**row).returning(*notices.c)).mappings().one()
            folded = notices.update().where(of, notices.c.state == "pending")
            connection.execute(folded.values(state="folded", next_try=None, error=f"in the digest {written['id']}"))
            return _notice(written)

    def of(self, pipeline: str, *, most: int | None = None) -> list[Notice]:
        """A pipeline's notices, newest first."""
        notices = table("notice")
        query = notices.select().where(notices.c.pipeline == pipeline).order_by(notices.c.id.desc()).limit(most)
        with self._database.connection() as connection:
            return [_notice(row) for row in connection.execute(query).mappings()]

    def purge(self, before: datetime) -> int:
        """Forget what was written before then and is not pending; how many."""
        notices = table("notice")
        old = notices.delete().where(notices.c.at < stored(before), notices.c.state != "pending")
        with self._database.connection() as connection:
            return connection.execute(old).rowcount


def _lock_number(notice: Notice) -> int:
    """A 64-bit number for a pipeline and key, as PostgreSQL's advisory locks want it."""
    digest = hashlib.blake2b(f"notice {notice.pipeline} {notice.key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _fitting(key: str) -> str:
    """The key, or its beginning and its hash where the column is too short."""
    if len(key) <= LONGEST_KEY:
        return key
    digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    return f"{key[: LONGEST_KEY - len(digest) - 1]}#{digest}"


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "at": stored(notice.at),
        "pipeline": notice.pipeline,
        "severity": notice.severity,
        "title": notice.title,
        "body": notice.body,
        "key": _fitting(notice.key),
        "state": notice.state,
        "delivered": json.dumps(list(notice.delivered)),
        "error": notice.error,
        "attempts": notice.attempts,
        "next_try": stored(notice.next_try) if notice.next_try else None,
    }


def _notice(row: "sa.RowMapping") -> Notice:
    return Notice(
        pipeline=row["pipeline"],
        severity=row["severity"],
        title=row["title"],
        body=row["body"],
        key=row["key"],
        state=row["state"],
        attempts=row["attempts"],
        delivered=tuple(json.loads(row["delivered"])),
        error=row["error"],
        at=loaded(row["at"]),
        next_try=loaded(row["next_try"]) if row["next_try"] else None,
        id=row["id"],
    )
