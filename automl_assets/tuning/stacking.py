"""Whether a stack layer holds: the whole of it made anew without a ninth of the rows, and judged on them.

Out of fold a stack layer looks better than it is, because the predictions that it learns from were made by models that
had seen the rows that judge it. AutoGluon's dynamic stacking guards against that with rows held out; so does this.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.files import atomic_file
from automl_assets.learn.ensemble import blend, greedy_weights
from automl_assets.learn.families import FitLimits, Shape, registry
from automl_assets.learn.families.stack import INPUTS, with_predictions
from automl_assets.learn.score import Metric
from automl_assets.tuning.candidates import Candidate
from automl_assets.tuning.portfolio import without_recipe
from automl_assets.tuning.trial_store import GUARD_FILE

if TYPE_CHECKING:
    import numpy as np

    from automl_assets.tuning.fold_fit import StudyRows
    from automl_assets.tuning.trial_store import TrialStore

HELD_PART = 9
STACK = "stack"


def guard(
    study: str,
    out: str,
    *,
    params: dict[str, Any],
    bases: list[dict[str, Any]],
    folds: int,
    seed: int,
    threads: int,
    seconds: float | None,
) -> bool:
    """What a child process does: fit the bases and the layer without a ninth of the rows, keep what they predict.

    Args:
        out: the layer's folder; `guard.npz` is written there.
        params: the layer's.
        bases: `family`, `params`, `recipe` and `trees` of the members that it learns from, in the order of its inputs.
        seconds: None where work is counted.
    """
    import numpy as np

    from automl_assets.tuning.fold_fit import StudyRows

    rows = StudyRows.read(Path(study))
    held = np.flatnonzero(np.random.default_rng(seed).permutation(len(rows.y)) % HELD_PART == 0)
    stop_at = float("inf") if seconds is None else time.monotonic() + seconds
    inside: list[np.ndarray] = []
    outside: list[np.ndarray] = []
    layer = {"family": STACK, "params": params, "recipe": None, "trees": None}
    for one in [*bases, layer]:
        inputs = (inside, outside) if one is layer else ([], [])
        share = time.monotonic() + (stop_at - time.monotonic()) / (len(bases) + 1 - len(inside))
        limits = FitLimits(seed=seed, threads=threads, stop_at=share, trees=one["trees"])
        seen = StudyRows.read(Path(study), one["recipe"]) if one["recipe"] else rows
        of_folds, of_held = _out_of_fold(seen, one, held, folds, limits, inputs)
        inside.append(of_folds)
        outside.append(of_held)
    with atomic_file(Path(out) / GUARD_FILE) as partial, partial.open("wb") as file:
        np.savez(file, held=held, inside=np.stack(inside), outside=np.stack(outside))
    return True


def _out_of_fold(
    rows: "StudyRows",
    one: Mapping[str, Any],
    held: "np.ndarray",
    folds: int,
    limits: FitLimits,
    inputs: "tuple[Sequence[np.ndarray], Sequence[np.ndarray]]",
) -> "tuple[np.ndarray, np.ndarray]":
    """Out-of-fold predictions of all rows (those held out: nothing), and the folds' mean prediction of those held out.

    Args:
        inputs: the same of the members that it learns from.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    kind = registry.get(one["family"])
    known = np.ones(len(rows.y), dtype=bool)
    known[held] = False
    outputs = (rows.classes,) if rows.classes else ()
    of_folds, of_held = np.zeros((len(rows.y), *outputs)), np.zeros((len(held), *outputs))
    for fold in range(folds):
        train, valid = np.flatnonzero(known & (rows.folds != fold)), np.flatnonzero(known & (rows.folds == fold))
        matrix, encoder = rows.encoded(kind.view, train, seed=fold)
        if inputs[0]:
            predicted = [p.copy() for p in inputs[0]]
            for p, unseen in zip(predicted, inputs[1], strict=True):
                p[held] = unseen
            matrix = with_predictions(matrix, predicted)
        data = rows.fit_data(matrix, encoder, train, valid)
        with threadpool_limits(limits.threads):
            model = kind.fit(one["params"], data, Shape(len(train), matrix.shape[1], rows.classes), limits)
            of_folds[valid] = model.predict(data.X_valid, threads=limits.threads)
            of_held += model.predict(matrix[held], threads=limits.threads) / folds
    return of_folds, of_held


def held_out_scores(
    folder: Path, metric: Metric, y: "np.ndarray", weight: "np.ndarray | None" = None
) -> "tuple[float, float]":
    """Scores of an ensemble with the layer and of one without it, on the rows that `guard` held out.

    Both are weighed on the other rows.
    """
    import numpy as np

    with np.load(folder / GUARD_FILE, allow_pickle=False) as file:
        held, inside, outside = file["held"], list(file["inside"]), list(file["outside"])
    rest = np.setdiff1d(np.arange(len(y)), held)

    def score(members: int) -> float:
        some = None if weight is None else weight[rest]
        order = sorted(range(members), key=lambda i: metric.loss(metric(y[rest], inside[i][rest], some)))
        weights = greedy_weights(metric, y[rest], [inside[i][rest] for i in order], weight=some)
        predicted = blend(weights, [outside[i] for i in order])
        return metric(y[held], predicted, None if weight is None else weight[held])

    return score(len(inside)), score(len(inside) - 1)


def verdict(store: "TrialStore", metric: Metric, layer: str) -> tuple[bool, str]:
    """Whether a layer holds on the rows held out, and the two scores in words; nothing where its guard did not end."""
    if not store.is_guarded(layer):
        return False, ""
    y, _, weight = store.labels()
    with_it, without = held_out_scores(store.trials_folder / layer, metric, y, weight)
    told = f"on rows held out {with_it:.6g} with it, {without:.6g} without"
    return metric.loss(with_it) <= metric.loss(without), told


def guard_arguments(
    layer: Candidate, candidates: Sequence[Candidate], arguments: Mapping[str, Any], folds: int
) -> dict[str, Any]:
    """What the guard of a layer needs to know: its bases as they were fitted."""
    by_id = {candidate.id: candidate for candidate in candidates}
    bases: list[dict[str, Any]] = []
    for base in (by_id[name] for name in bases_of(layer.params)):
        params, recipe = without_recipe(base.params)
        bases.append({"family": base.family, "params": params, "recipe": recipe, "trees": _trees(base)})
    return {**{name: arguments[name] for name in ("seed", "threads", "seconds")}, "folds": folds, "bases": bases}


def _trees(base: Candidate) -> int | None:
    """The most trees that a fold of it grew."""
    return max((result.trees or 0 for result in base.results.values()), default=0) or None


def bases_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The members that a configuration learns from; none unless it is a stack layer's."""
    return tuple(params.get(INPUTS, ()))
