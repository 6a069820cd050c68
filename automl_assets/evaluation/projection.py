"""The plane on which the training rows lie, by principal components, and how far rows are from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from automl_assets.learn.split import label_texts, numbers_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KEPT_VARIANCE = 0.8
MOST_ONE_HOT = 10
CLIP_DEVIATIONS = 10.0
LEAST_ROWS = 200


@dataclass(frozen=True, eq=False)
class Projection:
    """Standardised numbers and one-hot frequent labels, and the components that hold 80% of their variance."""

    numeric: tuple[str, ...]
    labels: Mapping[str, Sequence[str]]
    mean: "np.ndarray"
    scale: "np.ndarray"
    components: "np.ndarray"

    @classmethod
    def fit(cls, table: "pa.Table", roles: Mapping[str, str]) -> Self | None:
        """Learn from at least 200 rows with at least two columns that vary; else None."""
        from collections import Counter

        import numpy as np

        numeric = tuple(name for name in table.column_names if roles.get(name) == "numeric")
        labels = {
            name: [label for label, _ in Counter(label_texts(table.column(name)).tolist()).most_common(MOST_ONE_HOT)]
            for name in table.column_names
            if roles.get(name) == "categorical"
        }
        labels = {name: [label for label in found if label is not None] for name, found in labels.items()}
        if table.num_rows < LEAST_ROWS:
            return None
        raw = _matrix(table, numeric, labels)
        known = ~np.isnan(raw)
        mean = np.where(known, raw, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        scale = np.sqrt(np.where(known, np.square(raw - mean), 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        if (scale > 0).sum() < 2:
            return None
        X = _standardised(raw, mean, scale)
        _, singular, rows = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
        explained = np.cumsum(np.square(singular)) / np.square(singular).sum()
        count = min(int(np.searchsorted(explained, KEPT_VARIANCE)) + 1, int((scale > 0).sum()) - 1)
        return cls(numeric, labels, mean, scale, rows[:count])

    def errors(self, table: "pa.Table") -> "np.ndarray":
        """Each row's distance from the plane, in standard deviations a column (root mean square)."""
        import numpy as np

        X = _standardised(_matrix(table, self.numeric, self.labels), self.mean, self.scale)
        rest = X - X @ self.components.T @ self.components
        return np.sqrt(np.square(rest).mean(axis=1))

    def columns(self) -> list[str]:
        """The columns that it reads."""
        return [*self.numeric, *self.labels]

    def to_json(self) -> dict[str, Any]:
        """All but the arrays."""
        return {"numeric": list(self.numeric), "labels": {name: list(found) for name, found in self.labels.items()}}

    def arrays(self) -> "dict[str, np.ndarray]":
        """The arrays to store beside `to_json`."""
        return {"mean": self.mean, "scale": self.scale, "components": self.components}

    @classmethod
    def from_parts(cls, document: Mapping[str, Any], arrays: "Mapping[str, np.ndarray]") -> Self:
        """What `to_json` and `arrays` described."""
        return cls(
            tuple(document["numeric"]), document["labels"], arrays["mean"], arrays["scale"], arrays["components"]
        )


def _matrix(table: "pa.Table", numeric: Sequence[str], labels: Mapping[str, Sequence[str]]) -> "np.ndarray":
    """Numbers as they are (NaN where missing or infinite), labels one-hot."""
    import numpy as np

    parts = []
    for name in numeric:
        values = numbers_of(table.column(name))
        parts.append(np.where(np.isfinite(values), np.clip(values, -1e100, 1e100), np.nan))
    for name, found in labels.items():
        texts = label_texts(table.column(name))
        parts.extend((texts == label).astype(float) for label in found)
    return np.column_stack(parts) if parts else np.empty((table.num_rows, 0))


def _standardised(raw: "np.ndarray", mean: "np.ndarray", scale: "np.ndarray") -> "np.ndarray":
    """Missing numbers at the mean, constant columns at 0, nothing farther than ten deviations."""
    import numpy as np

    centred = np.where(np.isnan(raw), 0.0, raw - mean)
    scaled = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 0)
    return np.clip(scaled, -CLIP_DEVIATIONS, CLIP_DEVIATIONS)
