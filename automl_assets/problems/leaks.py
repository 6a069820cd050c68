"""Probes for columns that give the target away, and for a split that does.

Each column alone predicts the target, cross-fitted over two halves: its values are binned, and each bin's mean (or
class shares) on one half predicts the other. What rises or falls with the target is found without bins, by its order.
A column that predicts almost perfectly is a leak unless someone vouches for it by stating its role. Rates of false
alarms and misses are measured in `tests/problems/test_leaks.py`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl_assets.core.tables import column_type, read
from automl_assets.core.values import HoldoutRule, Leak
from automl_assets.learn.score import METRICS
from automl_assets.learn.split import hash_rows, label_texts, numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_ROWS = 20_000
LEAST_ROWS = 100
LEAST_ROWS_FOR_CERTAINTY = 200
BINS = 200
LEAST_ROWS_A_BIN = 20
SUSPECT = {"classes": 0.98, "numbers": 0.99}
CERTAIN = {"classes": 0.9995, "numbers": 0.9995}
DUPLICATES_SHARE = 0.01
SMOOTHING = 1.0


def find_leaks(
    dataset: "ds.Dataset",
    *,
    roles: Mapping[str, str],
    target: str,
    y: "np.ndarray",
    classes: int,
    train: "np.ndarray",
    vouched: frozenset[str],
    seed: int = 0,
) -> list[Leak]:
    """The columns that predict the target almost perfectly by themselves, strongest first.

    Args:
        y: class indices or numbers of the training rows, in order.
        classes: the number of classes, 0 for a number.
        train: which rows of the dataset are training rows with a usable target.
        vouched: columns whose role a person stated: never certain.
    """
    import numpy as np

    rows = len(y)
    if rows < LEAST_ROWS:
        return []
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(rows, MOST_ROWS, replace=False)) if rows > MOST_ROWS else np.arange(rows)
    half = generator.permutation(len(chosen)) % 2 == 0
    probe = _Probe(y[chosen], classes, half)
    leaks: list[Leak] = []
    for name, role in roles.items():
        if role in ("target", "excluded", "constant", "weight", "text", "time", "group"):
            continue
        column = read(dataset, [name], train).column(0)
        leak = _probe_column(name, role, _take(column, chosen), probe, name in vouched)
        leaks += [leak] if leak else []
    order = _order_leak(probe, chosen)
    return sorted(leaks, key=lambda leak: (not leak.certain, -leak.score)) + ([order] if order else [])


def _take(column: "pa.ChunkedArray", rows: "np.ndarray") -> "pa.ChunkedArray":
    import pyarrow as pa

    return column if len(rows) == len(column) else column.take(pa.array(rows))


class _Probe:
    """Scores codes (a bin a row) by how well they predict the target across two halves."""

    def __init__(self, y: "np.ndarray", classes: int, half: "np.ndarray"):
        self.y, self.classes, self.half = y, classes, half
        kind = "classes" if classes else "numbers"
        self.suspect, self.certain = SUSPECT[kind], CERTAIN[kind]

    @property
    def can_be_certain(self) -> bool:
        """Whether there are enough rows, and of each class, to call a perfect prediction no accident."""
        import numpy as np

        return len(self.y) >= LEAST_ROWS_FOR_CERTAINTY and (
            not self.classes or np.bincount(self.y, minlength=self.classes).min() >= 5
        )

    def score(self, codes: "np.ndarray") -> float:
        """ROC AUC (several classes: the mean over one against the rest) or R², cross-fitted; 0.5 or 0 means nothing."""
        import numpy as np

        predicted = np.empty((len(self.y), self.classes)) if self.classes else np.empty(len(self.y))
        for side in (self.half, ~self.half):
            predicted[side] = self._learn(codes[~side], self.y[~side], int(codes.max()) + 1)[codes[side]]
        metric = METRICS["roc_auc" if self.classes else "r2"]
        value = metric(self.y, predicted)
        return 0.0 if value != value else value

    def score_in_order(self, x: "np.ndarray") -> float:
        """The same without bins, of one number a row: two classes by a threshold, numbers by a straight line.

        Values and ranks are tried for numbers, so that a logarithm is found too; several classes have no order.
        """
        import numpy as np

        known = np.isfinite(x)
        x, y = x[known], self.y[known]
        if len(x) < LEAST_ROWS or known.mean() < 0.9 or self.classes > 2 or x.std() == 0 or y.std() == 0:
            return 0.0
        if self.classes:
            above = METRICS["roc_auc"](y, x)
            return max(above, 1 - above)
        return max(_straight_line(x, y), _straight_line(_ranks(x), _ranks(y)))

    def _learn(self, codes: "np.ndarray", y: "np.ndarray", size: int) -> "np.ndarray":
        """Each bin's class shares or mean, drawn towards the overall one by one row's weight."""
        import numpy as np

        counts = np.bincount(codes, minlength=size)
        if not self.classes:
            sums = np.bincount(codes, weights=y, minlength=size)
            return (sums + SMOOTHING * y.mean()) / (counts + SMOOTHING)
        table = np.zeros((size, self.classes))
        np.add.at(table, (codes, y), 1.0)
        prior = np.bincount(y, minlength=self.classes) / len(y)
        return (table + SMOOTHING * prior) / (counts + SMOOTHING)[:, None]


def _probe_column(name: str, role: str, column: "pa.ChunkedArray", probe: _Probe, vouched: bool) -> Leak | None:
    import numpy as np

    score = probe.score(_codes(column))
    if column_type(column.type) in ("integer", "number"):
        score = max(score, probe.score_in_order(numbers_of(column)))
    if score < probe.suspect:
        return None
    missing = np.asarray(column.is_null()).astype(np.int64)
    by_absence = bool(missing.any()) and probe.score(missing) >= probe.suspect
    kind = "missingness_predicts_target" if by_absence else "predicts_target"
    if role == "id":
        kind = "ordered_by_target"
    certain = score >= probe.certain and probe.can_be_certain and not vouched and role != "id"
    measure = "ROC AUC" if probe.classes else "R²"
    told = {
        "predicts_target": f"alone it predicts the target with {measure} {score:.4f}",
        "missingness_predicts_target": f"whether it is filled predicts the target with {measure} {score:.4f}",
        "ordered_by_target": f"the identifier is ordered by the target ({measure} {score:.4f}); it is not used",
    }
    return Leak(column=name, kind=kind, score=round(score, 6), certain=certain, reason=told[kind])


def _codes(column: "pa.ChunkedArray") -> "np.ndarray":
    """A bin a row: a value each where there are few, else quantile bins; missing is a bin of its own."""
    import numpy as np

    if column_type(column.type) in ("text", "boolean"):
        labels = np.array(["\x00" if label is None else label for label in label_texts(column)])
        return np.unique(labels, return_inverse=True)[1]
    values = numbers_of(column)
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    bins = _bins(len(values))
    if len(distinct) <= bins:
        codes = np.searchsorted(distinct, values)
    else:
        codes = np.searchsorted(np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])), values, side="right")
    return np.where(np.isfinite(values), codes, len(distinct) + 1).astype(np.int64)


def _bins(rows: int) -> int:
    """As many bins as can be learnt from."""
    return min(BINS, max(5, rows // LEAST_ROWS_A_BIN))


def _straight_line(x: "np.ndarray", y: "np.ndarray") -> float:
    """R² of a straight line."""
    import numpy as np

    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _ranks(values: "np.ndarray") -> "np.ndarray":
    """Each value's place among the distinct ones, weighed by their rows."""
    import numpy as np

    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - counts / 2)[codes]


def _order_leak(probe: _Probe, rows: "np.ndarray") -> Leak | None:
    """Whether the rows themselves are sorted by the target."""
    import numpy as np

    codes = (rows * _bins(len(rows)) // (rows.max() + 1)).astype(np.int64)
    score = max(probe.score(codes), probe.score_in_order(rows.astype(float)))
    if score < probe.suspect:
        return None
    reason = "the rows are sorted by the target; the holdout is drawn by hash, so the split is not affected"
    return Leak(
        column=None, kind="ordered_by_target", score=round(float(np.float64(score)), 6), certain=False, reason=reason
    )


def duplicates_across(
    dataset: "ds.Dataset", *, columns: tuple[str, ...], holdout: "np.ndarray", rule: HoldoutRule
) -> Leak | None:
    """Whether rows of the holdout stand again among the training rows, as far as the features tell."""
    import numpy as np

    if rule.kind == "hash" or not holdout.any() or not columns:
        return None
    from automl_assets.core.tables import iterate

    hashes = np.concatenate([hash_rows(batch, columns, "duplicates") for batch in iterate(dataset, list(columns))])
    share = float(np.isin(hashes[holdout], hashes[~holdout]).mean())
    if share < DUPLICATES_SHARE:
        return None
    reason = f"{share:.0%} of the holdout's rows stand among the training rows too; the holdout score is too good"
    return Leak(column=None, kind="duplicates_across_split", score=round(share, 6), certain=False, reason=reason)
