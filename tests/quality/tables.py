"""Small tables, for the tests of this folder."""

import pyarrow as pa
import pyarrow.dataset as ds

from automl_assets.core.tables import column_type
from automl_assets.quality.rules import ColumnFacts


def dataset(**columns: list) -> ds.Dataset:
    """A dataset in memory."""
    return ds.dataset(pa.table(columns))


def facts(values: list, *, role: str = "categorical", arrow: pa.DataType | None = None) -> ColumnFacts:
    """A column called `x` and what a report knows of it."""
    array = pa.array(values, arrow)
    column = pa.chunked_array([array], type=array.type)
    counted = column.drop_null().value_counts()
    text = column_type(array.type) == "text"
    return ColumnFacts(
        name="x",
        type=column_type(array.type),
        role=role,
        column=column,
        missing=column.null_count,
        distinct=len(counted),
        values=counted.field("values") if text else None,
        counts=counted.field("counts") if text else None,
    )
