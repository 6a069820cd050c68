"""A column's cells as what encoders need: numbers, labels, codes, times. Each is read once, few rows without Arrow."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LARGEST = 3e38
FEW_ROWS = 16
_PLAIN = (int, float, bool, str, type(None))


class Cells:
    """One column of a table, or a list of Python values where `column` is None.

    Up to 16 rows are read through Python's own objects, which takes a microsecond a cell; Arrow's and NumPy's
    functions cost several a column however few its rows are. Both ways give the same values.
    """

    def __init__(self, column: "pa.ChunkedArray | None", values: Sequence[Any] | None = None):
        self._column = column
        self._values = values
        self._rows = len(column) if column is not None else len(values or ())

    def __len__(self) -> int:
        return self._rows

    @classmethod
    def missing(cls, rows: int) -> Self:
        """A column that the table lacks."""
        return cls(None, [None] * rows)

    @classmethod
    def crossed(cls, first: "Cells", second: "Cells") -> Self:
        """The two labels of a row as one; missing where either is."""
        pairs = zip(first.labels, second.labels, strict=True)
        return cls(None, [None if a is None or b is None else f"{a}\x1f{b}" for a, b in pairs])

    @cached_property
    def _plain(self) -> Sequence[Any] | None:
        """The values of few rows, where all are text, numbers or missing."""
        values = self._values
        if values is None and self._column is not None and self._rows <= FEW_ROWS:
            values = self._column.to_pylist()
        if values is None:
            return None
        for value in values:
            if type(value) not in _PLAIN:
                return None
        return values

    @cached_property
    def column(self) -> "pa.ChunkedArray":
        """The cells in Arrow."""
        import pyarrow as pa

        return pa.chunked_array([pa.array(self._values)]) if self._column is None else self._column

    @cached_property
    def numbers(self) -> "np.ndarray":
        """float64 (rows,) within float32's range, NaN for missing and infinite values."""
        import numpy as np

        plain = self._plain
        if plain is not None and str not in map(type, plain):
            return np.array([_number(value) for value in plain], dtype=float)
        from automl_assets.learn.split import numbers_of

        values = numbers_of(self.column)
        return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)

    @cached_property
    def labels(self) -> list[str | None]:
        """Each cell as text, None where missing; a whole number reads the same as an integer and as a float."""
        if self._plain is not None:
            return [_label(value) for value in self._plain]
        positions, labels = self.coded
        lookup = [*labels, None]
        return [lookup[i] for i in positions]

    @cached_property
    def coded(self) -> "tuple[np.ndarray, list[str | None]]":
        """An index into the labels a row (the last index, one past the labels, for missing), and the labels."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.types as t

        from automl_assets.learn.split import label_texts

        array = self.column.combine_chunks() if isinstance(self.column, pa.ChunkedArray) else self.column
        if t.is_null(array.type):
            return np.zeros(len(array), dtype=np.int64), []
        coded = array if t.is_dictionary(array.type) else array.dictionary_encode()
        labels = list(label_texts(coded.dictionary))
        return np.asarray(pc.fill_null(coded.indices, len(labels))), labels

    def codes(self, rank: Mapping[str, int]) -> "np.ndarray":
        """Each cell's rank, int64 (rows,): their number where it has none, -1 where missing."""
        import numpy as np

        if self._plain is not None and self._rows <= FEW_ROWS:
            return np.array([-1 if label is None else rank.get(label, len(rank)) for label in self.labels], dtype=int)
        positions, labels = self.coded
        lookup = [-1 if label is None else rank.get(label, len(rank)) for label in labels]
        return np.array([*lookup, -1])[positions]

    @cached_property
    def times(self) -> "np.ndarray":
        """datetime64[us] (rows,) in UTC, NaT where missing."""
        import numpy as np
        import pyarrow as pa

        if self._values is not None and self._column is None:
            return np.array([_naive(value) for value in self._values], dtype="datetime64[us]")
        column = self.column if self.column.type == pa.timestamp("us") else self.column.cast(pa.timestamp("us"))
        return np.asarray(column.to_numpy(), dtype="datetime64[us]")


def _number(value: Any) -> float:
    if value is None:
        return float("nan")
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        return float("nan")
    return min(max(number, -LARGEST), LARGEST)


def _label(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return None
    return str(int(value)) if value == int(value) else repr(value)


def _naive(value: Any) -> Any:
    from datetime import UTC

    aware = getattr(value, "tzinfo", None) is not None
    return value.astimezone(UTC).replace(tzinfo=None) if aware else value


class Rows:
    """A table's columns as cells, each made when first asked for; a column that is not there is all missing."""

    def __init__(self, table: "pa.Table | None"):
        self._table = table
        self._index = {} if table is None else {name: i for i, name in enumerate(table.column_names)}
        self._cells: dict[str, Cells] = {}

    @classmethod
    def of_values(cls, row: Mapping[str, Any]) -> Self:
        """One row from Python values by column name."""
        rows = cls(None)
        rows._cells = {name: Cells(None, [value]) for name, value in row.items()}
        return rows

    def __len__(self) -> int:
        return 1 if self._table is None else self._table.num_rows

    def __getitem__(self, name: str) -> Cells:
        if name not in self._cells:
            at = self._index.get(name)
            if self._table is None or at is None:
                self._cells[name] = Cells.missing(len(self))
            else:
                self._cells[name] = Cells(self._table.column(at))
        return self._cells[name]

    def as_table(self, names: Sequence[str]) -> "pa.Table":
        """Just these columns; one that is not there is of Arrow's null type."""
        import pyarrow as pa

        return pa.table({name: self[name].column for name in names})
