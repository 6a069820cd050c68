"""Whatever a user holds a table in, as Arrow."""

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

    from automl_assets.ingestion.sources.parquet import normalised

    try:
        if isinstance(table, pa.Table):
            arrow = table
        elif isinstance(table, dict):
            arrow = pa.table({str(name): pa.array(values) for name, values in table.items()})
        elif isinstance(table, np.ndarray | list):
            arrow = _from_matrix(np.asarray(table))
        elif type(table).__module__.startswith("pandas") and table.ndim == 2:
            arrow = pa.Table.from_pandas(table.rename(columns=str), preserve_index=False)
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
    repeated = sorted({str(name) for name in arrow.column_names if arrow.column_names.count(name) > 1})
    if repeated:
        raise SchemaError(f"Columns have one name: {bounded(repeated)}.", remedy="Give each column its own name.")
    columns = [pa.chunked_array([normalised(chunk) for chunk in column.chunks] or [normalised(column.combine_chunks())])
               for column in arrow.columns]  # fmt: skip
    return pa.table(dict(zip((str(name) for name in arrow.column_names), columns, strict=True)))


def _from_matrix(matrix: "np.ndarray") -> "pa.Table":
    import pyarrow as pa

    if matrix.ndim != 2:
        raise SchemaError(f"A table has two dimensions; this has {matrix.ndim}.", remedy="Reshape it.")
    if matrix.dtype == object:
        return pa.table({f"x{i}": pa.array(list(matrix[:, i]), from_pandas=True) for i in range(matrix.shape[1])})
    return pa.table({f"x{i}": pa.array(matrix[:, i]) for i in range(matrix.shape[1])})
