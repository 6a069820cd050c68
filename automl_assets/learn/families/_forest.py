"""A forest as flat arrays: small on disk, and one row through a hundred trees in a fraction of a millisecond.

Nodes are numbered so that a right child follows its left sibling. A threshold is the largest float32 that is not above
scikit-learn's, which decides the same for every float32 value. Equal leaves share one row of `answers`, kept as float16
for shares of classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np

FILE = "forest.npz"
CHUNK_CELLS = 200_000
LEAF = -1


@dataclass(frozen=True)
class Forest:
    """Trees one after another. `roots`: where each begins; `feature`: what a node asks, -1 in a leaf.

    child: a node's left child; in a leaf, its row of `answers`. left: whether a missing value goes left.
    """

    roots: "np.ndarray"
    feature: "np.ndarray"
    threshold: "np.ndarray"
    left: "np.ndarray"
    child: "np.ndarray"
    answers: "np.ndarray"

    @classmethod
    def of(cls, trees: "Sequence[Any]", *, shares: bool) -> Self:
        """The forest of scikit-learn's `Tree` objects; `shares` where their leaves hold counts of classes."""
        import numpy as np

        flat = [_flat(tree) for tree in trees]
        sizes = np.array([len(feature) for feature, *_ in flat])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        feature, threshold, left, child, values = (np.concatenate(parts) for parts in zip(*flat, strict=True))
        leaves = feature == LEAF
        found = values[leaves]
        if shares:
            found = (found / found.sum(axis=1, keepdims=True)).astype(np.float16)
        answers, rows = np.unique(found, axis=0, return_inverse=True)
        child = child + np.repeat(roots, sizes)
        child[leaves] = rows.ravel()
        return cls(roots, feature, threshold, left, child.astype(np.int32), answers)

    def predict(self, X: "np.ndarray") -> "np.ndarray":
        """The mean of the trees' answers, of shape (rows, outputs)."""
        import numpy as np

        size = max(1, CHUNK_CELLS // len(self.roots))
        parts = [self._some(X[start : start + size]) for start in range(0, len(X), size)]
        return np.concatenate(parts) if parts else np.empty((0, self.answers.shape[1]))

    def _some(self, X: "np.ndarray") -> "np.ndarray":
        import numpy as np

        node = np.tile(self.roots, len(X))
        rows = np.repeat(np.arange(len(X)), len(self.roots))
        going = np.arange(len(node))
        while len(going):
            at = node[going]
            asked = self.feature[at]
            inner = asked != LEAF
            going, at, asked = going[inner], at[inner], asked[inner]
            value = X[rows[going], asked]
            leftwards = np.where(np.isnan(value), self.left[at], value <= self.threshold[at])
            node[going] = self.child[at] + ~leftwards
        answers = self.answers[self.child[node]].astype(np.float32)
        return answers.reshape(len(X), len(self.roots), -1).mean(axis=1, dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder."""
        import numpy as np

        arrays: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        np.savez_compressed(folder / FILE, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        import numpy as np

        with np.load(folder / FILE, allow_pickle=False) as file:
            return cls(**{one.name: file[one.name] for one in fields(cls)})


def _flat(tree: Any) -> "tuple[np.ndarray, ...]":
    """A tree's features, thresholds, sides of missing values, left children and values, breadth first."""
    import numpy as np

    order, level = [np.zeros(1, dtype=np.int64)], np.zeros(1, dtype=np.int64)
    while len(level):
        inner = level[tree.children_left[level] >= 0]
        level = np.column_stack([tree.children_left[inner], tree.children_right[inner]]).ravel()
        order.append(level)
    old = np.concatenate(order)
    new = np.empty(len(old), dtype=np.int64)
    new[old] = np.arange(len(old))
    inner = tree.children_left[old] >= 0
    threshold = tree.threshold[old].astype(np.float32)
    threshold = np.where(threshold > tree.threshold[old], np.nextafter(threshold, np.float32(-np.inf)), threshold)
    return (
        np.where(inner, tree.feature[old], LEAF).astype(np.int32),
        np.where(inner, threshold, 0).astype(np.float32),
        tree.missing_go_to_left[old].astype(bool),
        np.where(inner, new[np.maximum(tree.children_left[old], 0)], 0),
        tree.value[old, 0, :],
    )
