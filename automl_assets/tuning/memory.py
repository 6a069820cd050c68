"""What a fit will need: MiB of its own, predicted from the shape of the problem and from the peaks that were measured.

A family's need grows with the cells of its matrix, and a tree booster's also with its leaves and columns, whose
histograms it keeps. The default coefficients hold for a fit forked from a process that has imported the library; how
much more or less this installation needs is learnt a family at a time. What was learnt is kept in a file, so that later
studies start from it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from automl_assets.core.files import write_text
from automl_assets.learn.families import Params, Shape

MIB = 2**20
REMEMBERED = 50
SAFETY = 1.3
HISTOGRAM_BYTES = 256 * 16
VERSION = 1


@dataclass(frozen=True)
class Need:
    """MiB of a fit: `base`, `cell_bytes` a cell of the matrix, `row_bytes` a row and class, and histograms.

    histograms: the parameter that says how many leaves keep one at once; `by_depth` when it is a depth; `each_class`
    when each class keeps its own. most_rows: how many rows count for `row_bytes`.
    """

    base: float
    cell_bytes: float
    row_bytes: float = 48.0
    histograms: str = ""
    by_depth: bool = False
    each_class: bool = False
    most_rows: int = 1 << 40

    def mb(self, params: Params, shape: Shape) -> float:
        """Before anything was learnt."""
        columns, classes = max(1, shape.features), max(1, shape.classes)
        size = params.get(self.histograms, 0) or 0
        leaves = float(2**size if self.by_depth else size) * (classes if self.each_class and classes > 2 else 1)
        cells = shape.rows * columns * self.cell_bytes
        rows = min(shape.rows, self.most_rows) * classes * self.row_bytes
        return self.base + (cells + rows + leaves * columns * HISTOGRAM_BYTES) / MIB


NEEDS: Mapping[str, Need] = {
    "catboost": Need(24, 20, histograms="depth", by_depth=True, each_class=True),
    "extra_trees": Need(18, 16, row_bytes=3_000, most_rows=16_000),
    "hist_gradient_boosting": Need(18, 24, histograms="max_leaf_nodes"),
    "lightgbm": Need(25, 28, histograms="num_leaves"),
    "linear": Need(22, 50),
    "neighbours": Need(70, 12),
    "network": Need(40, 8, row_bytes=16),
    "svm": Need(40, 24, row_bytes=1_200, most_rows=50_000),
    "xgboost": Need(20, 28, histograms="max_depth", by_depth=True),
}
USUAL_NEED = Need(40, 32)


@dataclass
class MemoryModel:
    """MiB that a fit of each family will need; `observe` what ended, `mb` predicts what would. Not for threads.

    path: the file that it is kept in; None where it is not kept.
    """

    path: Path | None = None
    _seen: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """What earlier studies learnt; nothing where there is no file, or one that can't be read."""
        return cls(path, {} if path is None else _read(path))

    def mb(self, family: str, params: Params, shape: Shape) -> float:
        """MiB that a fit needs at its peak, rather too many: the default times nearly the largest ratio seen."""
        usual = NEEDS.get(family, USUAL_NEED).mb(params, shape)
        seen = sorted(self._seen.get(family, []))
        return SAFETY * usual if not seen else SAFETY * usual * seen[math.ceil(0.9 * len(seen)) - 1]

    def observe(self, family: str, params: Params, shape: Shape, peak_mb: float, *, complete: bool) -> None:
        """Learn from a fit that ended; one that was stopped says only that it needs at least so much.

        A peak of 0 says that the system does not tell, and changes nothing.
        """
        if not (math.isfinite(peak_mb) and peak_mb > 0):
            return
        ratio = peak_mb / NEEDS.get(family, USUAL_NEED).mb(params, shape)
        known = self._seen.setdefault(family, [])
        if not complete and ratio <= max(known, default=0.0):
            return
        known.append(round(ratio, 4))
        del known[:-REMEMBERED]

    def save(self) -> None:
        """Replace the file, if there is one to keep it in, as a whole.

        Raises:
            OSError: the folder can't be written.
        """
        if self.path is not None:
            write_text(self.path, json.dumps({"version": VERSION, "ratios": self._seen}, sort_keys=True))


def _read(path: Path) -> dict[str, list[float]]:
    """The ratios by family; what is no positive number is left out."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("version") != VERSION or not isinstance(found.get("ratios"), dict):
        return {}
    ratios = {family: _positive(values) for family, values in found["ratios"].items()}
    return {family: values[-REMEMBERED:] for family, values in ratios.items() if values}


def _positive(values: object) -> list[float]:
    if not isinstance(values, list):
        return []
    numbers = (float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool))
    return [number for number in numbers if math.isfinite(number) and number > 0]
