"""From Arrow columns to sketches: which structure a role calls for, learnt in one pass and counted in another."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl_assets.core.label_sketches import MOST_LABELS, CategorySketch, TextSketch, lengths_of
from automl_assets.core.sketches import NumericSketch, Sketch, edges_of
from automl_assets.core.tables import read
from automl_assets.learn.split import label_texts, numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

SKETCHED_ROLES = ("numeric", "categorical", "datetime", "text")
MOST_COUNTED_LABELS = 100_000
PRIVATE_EDGES = 64
PRIVATE_DIGITS = 2
LEAST_SIZE = 1e-300

Part = tuple[int, int, int]  # the row of the counts, where it starts, how many values


@dataclass
class Structure:
    """What the first pass learns of a column: a sample of numbers or lengths and their range, or the labels."""

    name: str
    role: str
    private: bool = False
    sample: "list[np.ndarray]" = field(default_factory=list)
    least: float = float("inf")
    greatest: float = float("-inf")
    labels: Counter[str | None] = field(default_factory=Counter)
    complete: bool = True

    def learn(self, column: "pa.Array", chosen: "np.ndarray") -> None:
        """Take in some rows; `chosen` says which of them belong to the sample."""
        import numpy as np

        if self.role == "categorical":
            self._learn_labels(column)
        elif self.role in ("numeric", "text"):
            values = _numbers(self.role, column)
            finite = values[np.isfinite(values)]
            if len(finite):
                self.least, self.greatest = min(self.least, finite.min()), max(self.greatest, finite.max())
            self.sample.append(values[chosen])

    def _learn_labels(self, column: "pa.Array") -> None:
        found = label_counts(column, self.salt)
        if len(self.labels) + len(found) <= MOST_COUNTED_LABELS:
            self.labels.update(found)
            return
        self.complete = False
        self.labels.update({label: rows for label, rows in found.items() if label in self.labels})

    @property
    def salt(self) -> str | None:
        """What the labels of a private column are hashed with."""
        return self.name if self.private else None

    def sketch(self) -> Sketch:
        """An empty sketch of the structure."""
        import numpy as np

        if self.role == "categorical":
            ranked = sorted(((n, label) for label, n in self.labels.items() if label is not None), key=_by_rank)
            labels = tuple(label for _, label in ranked[:MOST_LABELS])
            return CategorySketch.on(labels, complete=self.complete and len(ranked) <= MOST_LABELS)
        if not np.isfinite(self.least):
            edges = np.empty(0)
        else:
            values = np.concatenate([*self.sample, [self.least, self.greatest]])
            edges = edges_of(_blurred(values), PRIVATE_EDGES) if self.private else edges_of(values)
        return TextSketch.on(edges) if self.role == "text" else NumericSketch.on(edges)


def _by_rank(pair: tuple[int, str]) -> tuple[int, str]:
    return -pair[0], pair[1]


def _blurred(values: "np.ndarray") -> "np.ndarray":
    """Two significant digits, outwards at the ends: a private column's own values do not leave the tables."""
    import numpy as np

    finite = values[np.isfinite(values)]
    size = np.abs(finite)
    step = 10.0 ** (np.floor(np.log10(np.where(size > LEAST_SIZE, size, 1.0))) - PRIVATE_DIGITS + 1)
    rounded = np.round(finite / step) * step
    rounded[-2] = np.floor(finite[-2] / step[-2]) * step[-2]
    rounded[-1] = np.ceil(finite[-1] / step[-1]) * step[-1]
    return rounded


def count_column(sketch: Sketch, role: str, column: "pa.Array", *, salt: str | None = None) -> Sketch:
    """A sketch of a column on the structure of another.

    Args:
        salt: what the labels are hashed with where the column is private.
    """
    import pyarrow as pa

    if isinstance(sketch, CategorySketch):
        return sketch.count(label_counts(column, salt))
    if isinstance(sketch, TextSketch):
        return sketch.count(column.cast(pa.string()))
    assert isinstance(sketch, NumericSketch)
    return sketch.count(_numbers(role, column))


def add_parts(
    counts: "np.ndarray", sketch: Sketch, role: str, column: "pa.Array", parts: Iterable[Part], *, salt: str | None
) -> None:
    """Add parts of a column to rows of `counts`, which are vectors of the sketch's kind; their moments don't matter."""
    if not isinstance(sketch, NumericSketch):
        for row, start, length in parts:
            counts[row] += count_column(sketch, role, column.slice(start, length), salt=salt).vector
        return
    values = _numbers(role, column)
    for row, start, length in parts:
        counts[row] += sketch.counted(values[start : start + length])[0]


def _numbers(role: str, column: "pa.Array") -> "np.ndarray":
    import pyarrow as pa

    return lengths_of(column.cast(pa.string())) if role == "text" else numbers_of(pa.chunked_array([column]))


def label_counts(column: "pa.Array", salt: str | None = None) -> Counter[str | None]:
    """Rows by label, None for missing; with a salt, by the label's hash."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = column.dictionary_decode()
    values, counts = pc.value_counts(column).flatten()
    found: Counter[str | None] = Counter()
    for label, rows in zip(label_texts(values).tolist(), counts.to_pylist(), strict=True):
        found[label if salt is None or label is None else hashed(label, salt)] += rows
    return found


def hashed(label: str, salt: str) -> str:
    """64 bits of the label's keyed BLAKE2b, hexadecimal."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    return hashlib.blake2b(label.encode("utf-8", "surrogatepass"), key=key, digest_size=8).hexdigest()


def chosen_rows(rows: int, most: int, seed: int) -> "np.ndarray":
    """A mask of at most `most` rows: one at random from each of as many equal stretches."""
    import numpy as np

    if rows <= most:
        return np.ones(rows, dtype=bool)
    edges = np.linspace(0, rows, most + 1).astype(np.int64)
    offsets = np.random.default_rng(seed).random(most)
    mask = np.zeros(rows, dtype=bool)
    mask[edges[:-1] + (offsets * np.diff(edges)).astype(np.int64)] = True
    return mask


def sample_rows(dataset: "ds.Dataset", columns: list[str], seed: int, most: int = 50_000) -> "pa.Table":
    """At most `most` rows in their order, so that every part of the table is represented."""
    rows = dataset.count_rows()
    return read(dataset, columns, None if rows <= most else chosen_rows(rows, most, seed))
