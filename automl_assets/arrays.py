"""Whatever a user holds a table in, as Arrow."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import SchemaError, bounded

if TYPE_CHECKING:
    import pyarrow as pa


def as_arrow(table: Any) -> "pa.Table":
    """A pandas or polars frame, an Arrow table, a dict of columns, or a matrix, as an Arrow table of plain types.

    A matrix's columns are called x0, x1, …; a frame's index is left out. A column of mixed types, or of dicts or
    lists, becomes text.

    Raises:
        SchemaError: it is none of these, or a column is no column of values.
    """
    import pyarrow as pa

    arrow = _arrow(table)
    repeated = sorted(str(name) for name, times in Counter(arrow.column_names).items() if times > 1)
    if repeated:
        raise SchemaError(f"Columns have one name: {bounded(repeated)}.", remedy="Give each column its own name.")
    done = frozenset((pa.int64(), pa.string(), pa.bool_()))
    columns = [
        column if column.type in done else _normalised(name, column)
        for name, column in zip(arrow.column_names, arrow.columns, strict=True)
    ]
    return pa.table(dict(zip((str(name) for name in arrow.column_names), columns, strict=True)))


def _arrow(table: Any) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    if isinstance(table, dict):
        return _from_columns((str(name), values) for name, values in table.items())
    if type(table).__module__.startswith("pandas") and table.ndim == 2:
        return _from_pandas(table)
    if hasattr(table, "__arrow_c_stream__") and getattr(table, "ndim", 2) == 2:
        try:
            return pa.table(table)
        except (ValueError, TypeError, NotImplementedError) as error:  # Arrow's own derive from these
            raise _unreadable("of the frame", error) from error
    if isinstance(table, np.ndarray | list) or (hasattr(table, "__array__") and not hasattr(table, "name")):
        return _from_matrix(table)
    raise SchemaError(
        f"A {type(table).__name__} is no table.", remedy="Give a pandas or polars frame, or a numpy matrix."
    )


def _from_columns(columns: Iterable[tuple[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    arrays = [(name, _column(name, values)) for name, values in columns]
    lengths = {name: len(array) for name, array in arrays}
    if len(set(lengths.values())) > 1:
        least, most = min(lengths, key=lambda n: lengths[n]), max(lengths, key=lambda n: lengths[n])
        raise SchemaError(
            f"The table can't be read: column {least!r} has {lengths[least]} values and {most!r} {lengths[most]}.",
            remedy="Give every column as many values.",
        )
    return pa.Table.from_arrays([array for _, array in arrays], names=[name for name, _ in arrays])


def _from_pandas(frame: Any) -> "pa.Table":
    """The frame's columns; NaN becomes missing."""
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    if len(set(names)) == len(names):
        try:
            return pa.Table.from_pandas(frame.set_axis(names, axis=1), preserve_index=False)
        except (ValueError, TypeError, NotImplementedError, OverflowError):
            pass  # a column needs a closer look: one by one
    return _from_columns_of(frame, names)


def _from_columns_of(frame: Any, names: list[str]) -> "pa.Table":
    import pyarrow as pa

    arrays = [_column(name, frame.iloc[:, position]) for position, name in enumerate(names)]
    return pa.Table.from_arrays(arrays, names=names)


def _from_matrix(values: Any) -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    try:
        matrix = np.asarray(values)
    except ValueError as error:
        raise SchemaError("The table can't be read: its rows differ in length.", remedy="Give a matrix.") from error
    if matrix.ndim != 2:
        raise SchemaError(
            f"A table has two dimensions; this has {matrix.ndim}.",
            remedy="Reshape your data: array.reshape(-1, 1) is one column, array.reshape(1, -1) is one row.",
        )
    names = [f"x{i}" for i in range(matrix.shape[1])]
    if not names:
        return pa.table({"rows": np.zeros(len(matrix))}).select([])
    return pa.Table.from_arrays([_column(name, matrix[:, i]) for i, name in enumerate(names)], names=names)


def _column(name: str, values: Any) -> "pa.Array | pa.ChunkedArray":
    """One column; values of several types, or of one that Arrow does not know, as text.

    Raises:
        SchemaError: it is no column of values.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    if str(getattr(values, "dtype", "")) == "object":
        values = list(values)
    try:
        return pa.array(values, from_pandas=True) if not isinstance(values, pa.Array | pa.ChunkedArray) else values
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        cells = np.empty(len(values), dtype=object) if hasattr(values, "__len__") else None
        if cells is None:
            raise _unreadable(repr(name), error) from error
        cells[:] = list(values)
    missing = [cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell) for cell in cells]
    texts = (None if lost else _text(cell) for cell, lost in zip(cells, missing, strict=True))
    return pa.array(texts, pa.string())


def _text(cell: Any) -> str:
    """A cell of a column of mixed types; a whole number reads the same as an integer and as a float."""
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    return text.encode("utf-8", "replace").decode()


def _unreadable(which: str, error: Exception) -> SchemaError:
    why = (str(error).splitlines() or ["no reason given"])[0].rstrip(".")
    return SchemaError(f"Column {which} can't be read: {why}.", remedy="Give each column values of one type.")


def _normalised(name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    from automl_assets.ingestion.sources.parquet import normalised

    if pa.types.is_float64(column.type) and not _has_nan(column):
        return column
    try:
        return pa.chunked_array([normalised(chunk) for chunk in column.chunks] or [normalised(column.combine_chunks())])
    except (ValueError, TypeError, NotImplementedError, OverflowError) as error:
        raise _unreadable(repr(name), error) from error


def _has_nan(column: "pa.ChunkedArray") -> bool:
    """Whether a number that is none stands where nothing should; quick where the column's sum is a number."""
    import math

    import pyarrow.compute as pc

    total = pc.sum(column).as_py()
    return total is not None and math.isnan(total)
