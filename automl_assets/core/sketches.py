"""Mergeable summaries of a column: small, exact where it counts, and equal to the summary of all rows at once.

A batch is counted on the reference's edges, labels or buckets, so two sketches of one structure differ in counts
alone: they merge by adding, in any order, and compare cell by cell.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    import numpy as np

MOST_EDGES = 2_048
COARSE_EDGES = 128


class Sketch(ABC):
    """A column's counts. `vector` holds all that adds up; its first entry is the number of missing values."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def vector(self) -> "np.ndarray":
        """Every additive count, int64, in a fixed order."""

    @abstractmethod
    def with_vector(self, vector: "np.ndarray") -> Self:
        """The same structure with other counts."""

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return int(self.vector[0])

    @property
    @abstractmethod
    def known(self) -> int:
        """Rows whose value takes part in a comparison."""

    @property
    def rows(self) -> int:
        """All rows that were counted: each once in `vector`, where a kind does not say otherwise."""
        return int(self.vector.sum())

    def merge(self, other: Self) -> Self:
        """The sketch of both sides' rows. Both have the same structure."""
        return self.with_vector(self.vector + other.vector)

    def without(self, part: Self) -> Self:
        """The sketch of the rows that `part`, some of this sketch's rows, does not hold; its moments are unknown."""
        return self.with_vector(self.vector - part.vector)

    def empty(self) -> Self:
        """The same structure with nothing counted."""
        return self.with_vector(self.vector * 0)

    def coarse(self) -> Self:
        """The same counts in fewer cells, where there are many: what is kept of a window of rows."""
        return self

    def to_json(self) -> dict[str, Any]:
        """What is neither an array nor derived from one."""
        return {"kind": self.kind}

    def arrays(self) -> "dict[str, np.ndarray]":
        """The arrays to store beside `to_json`."""
        return {"vector": self.vector}


@dataclass(frozen=True)
class Moments:
    """Count, mean, sum of squared deviations and range; merged as by Chan, Golub & LeVeque (1979)."""

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    minimum: float = float("inf")
    maximum: float = float("-inf")

    @classmethod
    def of(cls, ordered: "np.ndarray") -> Self:
        """The moments of finite numbers in ascending order."""
        import numpy as np

        if not len(ordered):
            return cls()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(ordered.mean())
            m2 = float(np.square(ordered - mean).sum())
        return cls(len(ordered), mean, m2, float(ordered[0]), float(ordered[-1]))

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both sides' numbers."""
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        delta = other.mean - self.mean
        return Moments(
            count,
            self.mean + delta * other.count / count,
            self.m2 + other.m2 + delta * delta * self.count * other.count / count,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )

    @property
    def deviation(self) -> float:
        """The population's standard deviation; 0 without numbers."""
        return (self.m2 / self.count) ** 0.5 if self.count else 0.0


def edges_of(values: "np.ndarray", most: int = MOST_EDGES) -> "np.ndarray":
    """At most `most` values that occur, ascending: all distinct ones where they are few, else quantiles.

    The least and the greatest are always among them, and so is any value that more than 1/most of the rows share.
    """
    import numpy as np

    ordered = np.sort(values[np.isfinite(values)])
    distinct = np.unique(ordered)
    if len(distinct) <= most:
        return distinct
    return np.unique(ordered[np.linspace(0, len(ordered) - 1, most).round().astype(np.int64)])


@dataclass(frozen=True, eq=False)
class NumericSketch(Sketch):
    """Exact counts of numbers between and at `edges`: 2k + 1 cells that alternate open interval and single value.

    Two sketches on the same edges give the Kolmogorov–Smirnov statistic to within the largest open interval's share.
    """

    kind = "numeric"

    edges: "np.ndarray"
    counts: "np.ndarray"
    moments: Moments = Moments()

    @classmethod
    def on(cls, edges: "np.ndarray") -> Self:
        """Nothing counted yet."""
        import numpy as np

        return cls(edges, np.zeros(2 * len(edges) + 3, dtype=np.int64))

    @property
    def vector(self) -> "np.ndarray":
        """Missing, infinite, then finite values by cell."""
        return self.counts

    def with_vector(self, vector: "np.ndarray") -> Self:
        """The same edges with other counts; the moments are unknown."""
        return replace(self, counts=vector, moments=Moments())

    @property
    def infinite(self) -> int:
        """Rows with an infinite value."""
        return int(self.counts[1])

    @property
    def cells(self) -> "np.ndarray":
        """Finite values by cell: below the first edge, at it, between it and the second, …, above the last."""
        return self.counts[2:]

    @property
    def known(self) -> int:
        """Finite values."""
        return int(self.cells.sum())

    def count(self, values: "np.ndarray") -> Self:
        """A sketch of float64 values on the same edges; NaN is missing."""
        counts, ordered = self.counted(values)
        return replace(self, counts=counts, moments=Moments.of(ordered))

    def counted(self, values: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
        """The vector of float64 values, and the finite ones in order: sorting once beats a search for each value."""
        import numpy as np

        finite = np.isfinite(values)
        ordered = np.sort(values if finite.all() else values[finite])
        missing = int(np.isnan(values).sum()) if len(ordered) < len(values) else 0
        counts = np.empty(len(self.counts), dtype=np.int64)
        counts[:2] = missing, len(values) - len(ordered) - missing
        below = np.searchsorted(ordered, self.edges, side="left")
        up_to = np.searchsorted(ordered, self.edges, side="right")
        counts[2::2] = np.append(below, len(ordered)) - np.concatenate([[0], up_to])
        counts[3::2] = up_to - below
        return counts, ordered

    def merge(self, other: Self) -> Self:  # type: ignore[override]
        """The sketch of both sides' rows, their moments too."""
        return replace(self, counts=self.counts + other.counts, moments=self.moments.merge(other.moments))

    def coarse(self) -> Self:
        """The same counts between 128 of the edges."""
        import numpy as np

        if len(self.edges) <= COARSE_EDGES:
            return self
        kept = np.linspace(0, len(self.edges) - 1, COARSE_EDGES).round().astype(np.int64)
        total = np.cumsum(self.cells)
        below, up_to = total[0::2][kept], total[1::2][kept]
        counts = np.empty(2 * COARSE_EDGES + 3, dtype=np.int64)
        counts[:2] = self.counts[:2]
        counts[2::2] = np.append(below, total[-1]) - np.concatenate([[0], up_to])
        counts[3::2] = up_to - below
        return replace(self, edges=self.edges[kept], counts=counts)

    def below(self, points: "np.ndarray") -> "np.ndarray":
        """How many values lie below each point; even within a cell, and out to the least and the greatest value."""
        import numpy as np

        total = np.cumsum(self.cells).astype(float)
        x = np.repeat(self.edges, 2)
        y = total[:-1]
        if self.moments.count and (not len(x) or self.moments.minimum < x[0]):
            x, y = np.append(self.moments.minimum, x), np.append(0.0, y)
        if self.moments.count and self.moments.maximum > x[-1]:
            x, y = np.append(x, self.moments.maximum), np.append(y, total[-1])
        # from the right, so that a point on an edge takes the count below that edge, not the one up to it
        found = np.interp(-points, -x[::-1], y[::-1], left=total[-1], right=0.0)
        return np.where(points > x[-1], total[-1], found)

    def up_to(self, point: float) -> float:
        """How many values are at most `point`; as `below` where it is no edge."""
        import numpy as np

        position = int(np.searchsorted(self.edges, point, side="left"))
        if position < len(self.edges) and self.edges[position] == point:
            return float(self.cells[: 2 * position + 2].sum())
        return float(self.below(np.array([point]))[0])

    def quantiles(self, shares: "np.ndarray") -> "np.ndarray":
        """The edge at or next above each share of the finite values; there is at least one edge."""
        import numpy as np

        up_to = np.cumsum(self.cells)[1::2]
        return self.edges[np.minimum(np.searchsorted(up_to, shares * max(1, self.known)), len(self.edges) - 1)]

    def to_json(self) -> dict[str, Any]:
        """The moments."""
        m = self.moments
        return {"kind": self.kind, "moments": [m.count, m.mean, m.m2, m.minimum, m.maximum]}

    def arrays(self) -> "dict[str, np.ndarray]":
        """The edges and the counts."""
        return {"edges": self.edges, "vector": self.counts}


def sketch_from(document: Mapping[str, Any], arrays: "Mapping[str, np.ndarray]") -> Sketch:
    """The sketch that `to_json` and `arrays` described."""
    from automl_assets.core.label_sketches import CategorySketch, TextSketch

    vector = arrays["vector"]
    if document["kind"] == CategorySketch.kind:
        return CategorySketch(tuple(document["labels"]), vector, document["complete"])
    if document["kind"] == TextSketch.kind:
        return TextSketch(arrays["edges"], vector)
    count, *rest = document["moments"]
    return NumericSketch(arrays["edges"], vector, Moments(int(count), *map(float, rest)))
