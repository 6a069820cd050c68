"""The batches of all pipelines in the order in which they arrived."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.core.records import LandedBatch
from resources.platform_database import PlatformDatabase
from resources.records.tables import loaded, stored, table

if TYPE_CHECKING:
    import sqlalchemy as sa


class Batches:
    """What landed, by pipeline and key. A row's `sequence` is given once and never changes."""

    def __init__(self, database: PlatformDatabase):
        self._database = database

    def known(self, pipeline: str) -> dict[str, LandedBatch]:
        """A pipeline's batches by key, in the order of arrival."""
        return self.known_of([pipeline])[pipeline]

    def known_of(self, pipelines: Sequence[str]) -> dict[str, dict[str, LandedBatch]]:
        """The same of several pipelines, in one query."""
        with self._database.connection() as connection:
            return _known(connection, pipelines)

    def land(self, rows: Sequence[LandedBatch]) -> list[LandedBatch]:
        """Write batches down and give them back with their sequence, in the order in which they were given.

        A key that is known keeps its sequence; its content and state become the row's. Two processes that land the
        same batches end with one row each.
        """
        if not rows:
            return []
        with self._database.connection() as connection:
            if connection.dialect.name == "postgresql":
                _lock(connection)
            connection.execute(_upsert(connection), [_row(row) for row in rows])
            known = _known(connection, sorted({row.pipeline for row in rows}))
        return [known[row.pipeline][row.key] for row in rows]

    def newest(self, pipelines: Sequence[str]) -> dict[str, LandedBatch]:
        """The batch that arrived last, of each pipeline that has one; copies and moves don't count."""
        import sqlalchemy as sa

        rows = table("batch")
        last = (
            sa.select(sa.func.max(rows.c.id))
            .where(rows.c.pipeline.in_(list(pipelines)), rows.c.state == "landed")
            .group_by(rows.c.pipeline)
        )
        with self._database.connection() as connection:
            found = connection.execute(rows.select().where(rows.c.id.in_(last))).mappings()
            return {row["pipeline"]: _batch(row) for row in found}


def _lock(connection: "sa.Connection") -> None:
    """One writer at a time, so that a smaller sequence is never committed after a greater one was read."""
    import sqlalchemy as sa

    connection.execute(sa.text(f"LOCK TABLE {table('batch').name} IN SHARE ROW EXCLUSIVE MODE"))


def _upsert(connection: "sa.Connection") -> "sa.Executable":
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite

    rows = table("batch")
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(rows)
    new = insert.excluded
    names = ("digest", "state", "same_as", "size", "mtime_ns")
    at = sa.case((rows.c.digest == new.digest, rows.c.at), else_=new.at)
    return insert.on_conflict_do_update(
        index_elements=["pipeline", "key"], set_={**{name: new[name] for name in names}, "at": at}
    )


def _known(connection: "sa.Connection", pipelines: Sequence[str]) -> dict[str, dict[str, LandedBatch]]:
    rows = table("batch")
    query = rows.select().where(rows.c.pipeline.in_(list(pipelines))).order_by(rows.c.id)
    known: dict[str, dict[str, LandedBatch]] = {pipeline: {} for pipeline in pipelines}
    for row in connection.execute(query).mappings():
        known[row["pipeline"]][row["key"]] = _batch(row)
    return known


def _batch(row: Mapping[Any, Any]) -> LandedBatch:
    names = ("pipeline", "key", "digest", "size", "mtime_ns", "state", "same_as")
    return LandedBatch(**{name: row[name] for name in names}, sequence=row["id"], at=loaded(row["at"]))


def _row(batch: LandedBatch) -> dict[str, object]:
    names = ("pipeline", "key", "digest", "size", "mtime_ns", "state", "same_as")
    return {**{name: getattr(batch, name) for name in names}, "at": stored(batch.at)}
