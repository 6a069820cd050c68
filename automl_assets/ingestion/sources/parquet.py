"""Parquet files, with the types that they state."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from automl_assets.core.errors import SourceError
from automl_assets.core.tables import DEFAULT_BATCH_ROWS, arrow_type, column_type
from automl_assets.ingestion.sniff import unique_names
from automl_assets.ingestion.sources._base import EMPTY_TABLE, WHOLE, FileSource, Reading, renamed_columns, unreadable

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from automl_assets.ingestion.windows import Window


class Parquet(FileSource):
    """A Parquet file, or a folder in which Parquet files land."""

    default_glob = "*.parquet"

    type: Literal["parquet"] = "parquet"

    def open(self, batch: str) -> "TypedReading":
        return self._open(batch, lambda file: None)

    def open_window(self, window: "Window", column: str | None) -> tuple[Reading, bool]:
        return self._open(WHOLE, lambda file: groups_within(file, window, column)), False

    def _open(self, batch: str, choose: "Callable[[pq.ParquetFile], list[int] | None]") -> "TypedReading":
        """Open a file; `choose` names the row groups to read, None for all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.file(batch)
        try:
            file = pq.ParquetFile(path, pre_buffer=False)
        except pa.ArrowInvalid as error:
            what = "The file is empty." if not path.stat().st_size else "The file is not Parquet."
            raise SourceError(what, where=str(path), remedy="Use source type csv for delimited text.") from error
        except OSError as error:
            raise unreadable(path, error) from error
        if not file.metadata.num_rows:
            raise SourceError("The file has no rows.", where=str(path), remedy="Check what wrote it.", code=EMPTY_TABLE)
        names, renamed = unique_names(file.schema_arrow.names)
        if len(names) < 2:
            raise SourceError(
                "The file has one column, so nothing can be predicted from it.", where=str(path), remedy="Add columns."
            )
        return TypedReading(
            where=str(path),
            columns=tuple(names),
            typed=True,
            findings=[renamed_columns(renamed)] if renamed else [],
            load=lambda: file.iter_batches(batch_size=DEFAULT_BATCH_ROWS, row_groups=choose(file)),
        )


def groups_within(file: "pq.ParquetFile", window: "Window", column: str | None) -> list[int] | None:
    """The row groups whose statistics allow rows of a window; all where the column has none that can be compared."""
    import pyarrow.types as t

    names = file.schema_arrow.names
    if column not in names or not t.is_timestamp(file.schema_arrow.field(column).type):
        return None
    zoned = file.schema_arrow.field(column).type.tz is not None
    first, last = (time if zoned else time.replace(tzinfo=None) for time in window.instants())
    number = file.schema.names.index(column) if column in file.schema.names else None
    if number is None or len(file.schema.names) != len(names):
        return None
    chosen: list[int] = []
    for group in range(file.metadata.num_row_groups):
        statistics = file.metadata.row_group(group).column(number).statistics
        if statistics is None or not statistics.has_min_max:
            return None
        if statistics.min < last and statistics.max >= first:
            chosen.append(group)
    return chosen


@dataclass
class TypedReading(Reading):
    """Batches that come with types; each column becomes the nearest column type, nested ones text."""

    load: "Callable[[], Iterable[pa.RecordBatch]]" = tuple

    def batches(self) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        try:
            for batch in self.load():
                arrays = [normalised(array) for array in batch.columns]
                yield pa.RecordBatch.from_arrays(arrays, names=list(self.columns))
        except OSError as error:
            told = str(error).splitlines()[0].rstrip(".")[:200]
            raise SourceError(
                f"The table is damaged: {told}.", where=self.where, remedy="Fetch or write it again."
            ) from error


def normalised(array: "pa.Array") -> "pa.Array":
    """The array in the Arrow type of its column type: integers as int64, dates as timestamps, the rest as text.

    A number that is none (NaN) is missing.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column_type(array.type)
    utc = t.is_timestamp(array.type) and array.type.tz is not None
    wanted = arrow_type(kind, utc=utc)
    if t.is_float64(array.type):
        return pc.if_else(pc.is_nan(array), None, array)
    if array.type == wanted:
        return array
    if kind == "text" and not (
        t.is_string(array.type) or t.is_large_string(array.type) or t.is_string_view(array.type)
    ):
        if t.is_dictionary(array.type):
            return normalised(array.dictionary_decode())
        if not t.is_null(array.type):
            return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    cast = array.cast(wanted, safe=False)
    return normalised(cast) if t.is_floating(array.type) else cast
