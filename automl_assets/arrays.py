"""Whatever a user holds a table in, as Arrow."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from automl_assets.core.errors import SchemaError, bounded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def as_arrow(table: Any) -> "pa.Table":
    """A pandas or polars frame, an Arrow table, a dict of columns, or a matrix, as an Arrow table of plain types.

    A matrix's columns are called x0, x1, …; a frame's index is left out.

    Raises:
        SchemaError: it is none of these, or a column is no column of values.
    """
    import numpy as np
    import pyarrow as pa

    try:
        if isinstance(table, pa.Table):
            arrow = table
        elif isinstance(table, dict):
            arrow = pa.table({str(name): pa.array(values) for name, values in table.items()})
        elif isinstance(table, np.ndarray | list):
            arrow = _from_matrix(np.asarray(table))
        elif type(table).__module__.startswith("pandas") and table.ndim == 2:
            if not all(type(name) is str for name in table.columns):
                table = table.rename(columns=str)
            arrow = pa.Table.from_pandas(table, preserve_index=False)  # NaN becomes missing
        elif hasattr(table, "__arrow_c_stream__") and getattr(table, "ndim", 2) == 2:
            arrow = pa.table(table)
        else:
            raise SchemaError(
                f"A {type(table).__name__} is no table.", remedy="Give a pandas or polars frame, or a numpy matrix."
            )
    except (ValueError, TypeError, NotImplementedError) as error:  # numpy's, pandas' and, derived from these, Arrow's
        raise SchemaError(
            f"A column can't be read: {(str(error).splitlines() or ['no reason given'])[0]}.",
            remedy="Give each column values of one type.",
        ) from error
    repeated = sorted(str(name) for name, times in Counter(arrow.column_names).items() if times > 1)
    if repeated:
        raise SchemaError(f"Columns have one name: {bounded(repeated)}.", remedy="Give each column its own name.")
    done = frozenset((pa.int64(), pa.string(), pa.bool_()))
    columns = [column if column.type in done else _normalised(column) for column in arrow.columns]
    return pa.table(dict(zip((str(name) for name in arrow.column_names), columns, strict=True)))


def _normalised(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    from automl_assets.ingestion.sources.parquet import normalised

    if pa.types.is_float64(column.type) and not _has_nan(column):
        return column
    return pa.chunked_array([normalised(chunk) for chunk in column.chunks] or [normalised(column.combine_chunks())])


def _has_nan(column: "pa.ChunkedArray") -> bool:
    """Whether a number that is none stands where nothing should; quick where the column's sum is a number."""
    import math

    import pyarrow.compute as pc

    total = pc.sum(column).as_py()
    return total is not None and math.isnan(total)


def _from_matrix(matrix: "np.ndarray") -> "pa.Table":
    import pyarrow as pa

    if matrix.ndim != 2:
        raise SchemaError(f"A table has two dimensions; this has {matrix.ndim}.", remedy="Reshape it.")
    if matrix.dtype == object:
        return pa.table({f"x{i}": pa.array(list(matrix[:, i]), from_pandas=True) for i in range(matrix.shape[1])})
    return pa.table({f"x{i}": pa.array(matrix[:, i]) for i in range(matrix.shape[1])})
