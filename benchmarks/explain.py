"""How long the explanation of five rows takes, by model, and how exact it is: each family alone, and ensembles.

`python -m benchmarks.explain [KIND ...]`: binary (the default), multiclass or regression; 2,000 made-up rows of 14
columns, five folds a family with their default settings.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.machine import header, table

if TYPE_CHECKING:
    import pyarrow as pa

    from automl_assets.training.explain import RowExplanation
    from automl_assets.training.model import FoldModel, Model

TRAINING_ROWS, FOLDS, EXPLAINED = 2_000, 5, 5
FIT_SECONDS, SECONDS = 20.0, 60.0
CLASSES = {"regression": (), "binary": ("no", "yes"), "multiclass": ("high", "low", "middle")}
NUMBERS = tuple(f"number {i}" for i in range(10))
TEXTS = tuple(f"category {i}" for i in range(4))
ENSEMBLES: dict[str, dict[str, float]] = {
    "of trees and linear": {"lightgbm": 0.4, "catboost": 0.3, "extra_trees": 0.2, "linear": 0.1},
    "with a network": {"lightgbm": 0.5, "catboost": 0.3, "network": 0.2},
}

Members = Mapping[str, "Sequence[FoldModel]"]


def main() -> None:
    """Print a row for each model."""
    for kind in sys.argv[1:] or ["binary"]:
        header(f"Explanations of {EXPLAINED} rows, {kind}", "explain", kind)
        rows = made_up(kind, TRAINING_ROWS + EXPLAINED)
        members = _fitted(kind, rows.slice(EXPLAINED))
        models = {name: {name: 1.0} for name in members} | ENSEMBLES
        told = [_measured(name, model_of(kind, members, weights), rows) for name, weights in models.items()]
        columns = ["model", "method", "seconds", "CPU seconds", "rows told", "background", "standard error", "off by"]
        table(columns, told)


def made_up(kind: str, rows: int, seed: int = 0) -> "pa.Table":
    """Ten numbers, one in twenty missing, four categories of 3 to 40 values, and a target that follows six of them."""
    import numpy as np
    import pyarrow as pa

    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(rows, len(NUMBERS)))
    codes = np.column_stack([generator.integers(0, n, rows) for n in (3, 8, 20, 40)])
    signal = (
        numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + np.abs(numbers[:, 3]) + (codes[:, 0] == 1) - codes[:, 2] / 9
    )
    signal = signal + generator.normal(0, 0.5, rows)
    y: Any = signal
    if CLASSES[kind]:
        parts = len(CLASSES[kind])
        cuts = np.quantile(signal, np.arange(1, parts) / parts)
        y = np.array(CLASSES[kind], dtype=object)[np.digitize(signal, cuts)]
    hidden = generator.random(numbers.shape) < 0.05
    columns = {name: pa.array(numbers[:, i], mask=hidden[:, i]) for i, name in enumerate(NUMBERS)}
    columns |= {name: pa.array([f"v{code}" for code in codes[:, i]]) for i, name in enumerate(TEXTS)}
    return pa.table({**columns, "y": pa.array(y)})


def _fitted(kind: str, rows: "pa.Table") -> Members:
    """Five folds of each family that a search tries by itself."""
    from automl_assets.learn.families import Shape, registry

    shape = Shape(rows.num_rows, len(NUMBERS) + len(TEXTS), len(CLASSES[kind]))
    found: dict[str, list[FoldModel]] = {}
    for name, family in registry.all().items():
        if family.by_default and not family.stacks and family.refuses(shape) is None:
            found[name] = [_fold(kind, name, rows, fold) for fold in range(FOLDS)]
            print(f"    fitted {name}", file=sys.stderr)
    return found


def _fold(kind: str, family: str, rows: "pa.Table", fold: int) -> "FoldModel":
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.families import FitData, FitLimits, Shape, registry
    from automl_assets.learn.features import Encoder
    from automl_assets.training.model import FoldModel

    classes, one = CLASSES[kind], registry.get(family)
    y = rows.column("y").to_numpy(zero_copy_only=False)
    y = np.searchsorted(np.array(classes), y.astype(str)) if classes else y
    inside = np.arange(rows.num_rows) % FOLDS != fold
    encoder, train = Encoder.fit_transform(
        rows.filter(pa.array(inside)), roles(), one.view, y=y[inside], classes=len(classes), seed=fold
    )
    valid = encoder.transform(rows.filter(pa.array(~inside)))
    data = FitData(train, y[inside], None, valid, y[~inside], None, encoder.categorical, encoder.nominal)
    shape = Shape(len(train), train.shape[1], len(classes))
    limits = FitLimits(fold, 2, time.monotonic() + FIT_SECONDS)
    return FoldModel(encoder, one.fit(one.defaults(shape), data, shape, limits))


def roles() -> dict[str, str]:
    """What each of `made_up`'s columns is."""
    return {**dict.fromkeys(NUMBERS, "numeric"), **dict.fromkeys(TEXTS, "categorical")}


def model_of(kind: str, members: Members, weights: Mapping[str, float]) -> "Model":
    """The members that have a weight as a model, calibrated by hand where it says probabilities."""
    from automl_assets.core.values import CleaningPlan, Column, HoldoutRule
    from automl_assets.training.calibration import Calibration
    from automl_assets.training.model import Model, ModelCard

    methods = {0: Calibration(), 2: Calibration("sigmoid", 1.2, 0.1), 3: Calibration("temperature", 1.2)}
    card = ModelCard(
        pipeline="explain", kind=kind, metric="rmse" if kind == "regression" else "log_loss", target="y",
        classes=CLASSES[kind], roles=roles(),
        columns=tuple(Column(name=n, type="number" if n in NUMBERS else "text") for n in (*NUMBERS, *TEXTS)),
        plan=CleaningPlan(steps=()), holdout=HoldoutRule(kind="hash", columns=(), salt="", share=0.2, target="y"),
        window=(), members=tuple({"name": name, "family": name} for name in weights),
        calibration=methods[len(CLASSES[kind])], residual_quantile=None,
    )  # fmt: skip
    return Model(card, [(weight, members[name]) for name, weight in weights.items()])


def _measured(name: str, model: "Model", rows: "pa.Table") -> list[object]:
    """A row of the table: the explanations of the first rows, the others being the background."""
    from automl_assets.training.explain import explain_rows

    begun, cpu = time.monotonic(), time.process_time()
    found = explain_rows(
        model, rows.slice(0, EXPLAINED), background=model.clean(rows.slice(EXPLAINED)), seconds=SECONDS
    )
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    off = max(abs(one.base + sum(c.contribution for c in one.contributions) - one.output) for one in found)
    samples = min(one.samples for one in found)
    took = (f"{seconds:.2f}", f"{cpu:.2f}")
    return [name, found[0].method, *took, len(found), samples or "", _uncertain(found), f"{off:.0e}"]


def _uncertain(found: "list[RowExplanation]") -> str:
    """The largest standard error of a contribution as a share of the largest contribution."""
    parts = [one for row in found for one in row.contributions]
    largest = max(abs(one.contribution) for one in parts) or 1.0
    worst = max(getattr(one, "standard_error", float("nan")) for one in parts)
    return f"{worst / largest:.1%}" if worst == worst else "?"


if __name__ == "__main__":
    main()
