"""Exact Shapley values of a forest against background rows (Lundberg et al. 2020, interventional TreeSHAP).

A leaf is reached by a mixture of a row and a background row where, for each feature that its path asks, the mixture's
value meets all that is asked of it. So a leaf matters to a pair of rows only where every feature is met by one of the
two. Where U features are met by the row alone and V by the background row alone, the leaf's answer counts
``1 / (U · C(U+V, U))`` times for each of the U and ``-1 / (V · C(U+V, V))`` times for each of the V.

Which features of its path a row fails is a 64-bit word a leaf, found for all trees together, a level at a time.
"""

from collections.abc import Iterator
from functools import cache
from math import comb
from typing import TYPE_CHECKING, NamedTuple

from automl_assets.learn.families._forest import LEAF, Forest

if TYPE_CHECKING:
    import numpy as np

MOST_FEATURES_A_PATH = 64
CELLS_AT_ONCE = 2_000_000


class _Nodes(NamedTuple):
    """Nodes of one depth. asked: the features of each one's path, shape (nodes, slots), -1 where there are fewer.

    failed: for every row, a bit for each slot whose feature it fails, shape (rows, nodes).
    """

    node: "np.ndarray"
    asked: "np.ndarray"
    failed: "np.ndarray"


def shapley_values(forest: Forest, X: "np.ndarray", background: "np.ndarray") -> "np.ndarray | None":
    """The values of the mean of the trees' answers, shape (rows, features, outputs); None of paths of over 64 features.

    With the mean answer for the background they add up to `Forest.predict`.
    """
    import numpy as np

    both = np.concatenate([X, background])
    found = np.zeros((len(X), X.shape[1], forest.answers.shape[1]))
    for roots in _blocks(forest, len(both)):
        level = _Nodes(roots, np.empty((len(roots), 0), np.int32), np.zeros((len(both), len(roots)), np.uint64))
        while len(level.node):
            leaf = forest.feature[level.node] == LEAF
            _add_leaves(found, forest, level.node[leaf], level.asked[leaf], level.failed[:, leaf])
            level = _below(forest, both, _Nodes(level.node[~leaf], level.asked[~leaf], level.failed[:, ~leaf]))
            if level.asked.shape[1] > MOST_FEATURES_A_PATH:
                return None
    return found / (len(forest.roots) * len(background))


def _blocks(forest: Forest, rows: int) -> "Iterator[np.ndarray]":
    """The trees' roots, as many at once as memory is meant for."""
    import numpy as np

    ends = np.append(forest.roots[1:], len(forest.feature))
    block = ends * rows // CELLS_AT_ONCE
    for one in np.unique(block):
        yield forest.roots[block == one]


def _below(forest: Forest, both: "np.ndarray", level: _Nodes) -> _Nodes:
    """The children of inner nodes, the left ones first."""
    import numpy as np

    node, asked, failed = level
    feature = forest.feature[node]
    asked = np.column_stack([asked, np.full(len(node), LEAF, np.int32)])
    slot = ((asked == feature[:, None]) | (asked == LEAF)).argmax(axis=1)
    asked[np.arange(len(node)), slot] = feature
    if (asked[:, -1] == LEAF).all():
        asked = asked[:, :-1]
    value = both[:, feature]
    leftwards = np.where(np.isnan(value), forest.left[node], value <= forest.threshold[node])
    bit = np.uint64(1) << slot.astype(np.uint64)
    nothing = np.uint64(0)
    return _Nodes(
        np.concatenate([forest.child[node], forest.child[node] + 1]),
        np.concatenate([asked, asked]),
        np.hstack([failed | np.where(leftwards, nothing, bit), failed | np.where(leftwards, bit, nothing)]),
    )


def _add_leaves(
    found: "np.ndarray", forest: Forest, node: "np.ndarray", asked: "np.ndarray", failed: "np.ndarray"
) -> None:
    """Add what leaves give to each row's features, summed over the background rows."""
    import numpy as np

    if not len(node) or not asked.shape[1]:
        return
    answers, shares = forest.answers[forest.child[node]].astype(float), _shares()
    flat = np.where(asked == LEAF, 0, asked).ravel()  # a slot that is not used gives nothing
    by_row, by_other = failed[: len(found)], failed[len(found) :]
    for row, own in enumerate(by_row):
        other, leaf = np.nonzero((by_other & own) == 0)
        lone, others = by_other[other, leaf], own[leaf]  # met by the row alone, and by the background row alone
        u, v = np.bitwise_count(lone), np.bitwise_count(others)
        for_lone, for_others = shares[u, v], np.bincount(leaf, shares[v, u], len(node))
        given = np.empty((len(node), asked.shape[1]))
        for slot in range(asked.shape[1]):
            bit = np.uint64(slot)
            has = (lone >> bit) & np.uint64(1)
            given[:, slot] = np.bincount(leaf, for_lone * has, len(node))
            given[:, slot] -= for_others * ((own >> bit) & np.uint64(1))
        for output in range(answers.shape[1]):
            weights = (given * answers[:, output, None]).ravel()
            found[row, :, output] += np.bincount(flat, weights, found.shape[1])


@cache
def _shares() -> "np.ndarray":
    """``1 / (u · C(u+v, u))`` at [u, v]; 0 where u is 0."""
    import numpy as np

    counts = range(MOST_FEATURES_A_PATH + 1)
    return np.array([[1 / (u * comb(u + v, u)) if u else 0.0 for v in counts] for u in counts])
