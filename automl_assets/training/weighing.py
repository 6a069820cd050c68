"""From a finished study to an ensemble: which configurations, how weighted, at what cost a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_assets.core.fingerprint import digest_of
from automl_assets.core.values import Member, Study, Trial
from automl_assets.learn.families import registry
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric
from automl_assets.training.choose import Choice, Cost, Ensemble, Prefer, choose, needed, row_ms, size_mb
from automl_assets.tuning.portfolio import without_recipe
from automl_assets.tuning.stacking import bases_of
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import numpy as np

MOST_CANDIDATES, MOST_FOLDS = 16, 16
MEASURE_SECONDS = 20.0
NOMINAL_ENCODE_MS: Mapping[str, float] = {"codes": 0.3, "dense": 0.45}
NOMINAL_MS: Mapping[str, float] = {
    "catboost": 0.15,
    "extra_trees": 0.4,
    "lightgbm": 0.15,
    "linear": 0.02,
    "neighbours": 0.6,
    "network": 0.15,
    "stack": 0.15,
    "svm": 0.4,
    "xgboost": 0.25,
}
NOMINAL_USUAL_MS = 1.0

Measured = tuple[float, float, float]


@dataclass(frozen=True)
class Weighed:
    """An ensemble before it is written.

    trials: all candidates, best first. members: the positions of those that make the model, those with a weight first.
    choice: weights, fold models and nested predictions. y, folds, weight: of the rows that judged.
    """

    trials: Sequence[Trial]
    members: Sequence[int]
    choice: Choice
    leaderboard: Sequence[Member]
    milliseconds: float
    y: "np.ndarray"
    folds: "np.ndarray"
    weight: "np.ndarray | None"
    judged: "np.ndarray"


def weigh(
    store: TrialStore,
    study: Study,
    metric: Metric,
    runner: Runner,
    *,
    seconds: float,
    memory_mb: float,
    prefer: Prefer,
    ensemble: Ensemble,
    deterministic: bool,
) -> Weighed:
    """Measure the candidates, then choose and weigh.

    Args:
        seconds: measuring each candidate's row latency stops then.
        deterministic: choose by what a family's members usually cost a row, not by what was measured.
    """
    y, folds, weight = store.labels()
    judged = (folds >= 0) & (folds < study.folds)
    y, folds, weight = y[judged], folds[judged], None if weight is None else weight[judged]
    trials = candidates(study, store, metric)
    predictions = [store.predicted(trial.id, study.folds) for trial in trials]
    measured = _measure(store, trials, runner, seconds, memory_mb)
    costs = [_cost(store, trials, trial, m) for trial, m in zip(trials, measured, strict=True)]
    assumed = costs
    if deterministic:
        assumed = [_cost(store, trials, trial, _nominal(trial)) for trial in trials]
    choice = choose(metric, y, predictions, assumed, prefer, parts=folds, weight=weight, ensemble=ensemble)
    kept = [cost.with_folds(n) for cost, n in zip(costs, choice.folds, strict=True)]
    scores = [metric(y, p.astype(float), weight) for p in predictions]
    rows = zip(trials, choice.weights, scores, kept, measured, strict=True)
    leaderboard = [_row(trial, float(w), score, cost, m) for trial, w, score, cost, m in rows]
    members = needed([i for i, w in enumerate(choice.weights) if w > 0], costs)
    together = row_ms([kept[i] for i in members])
    return Weighed(trials, members, choice, leaderboard, together, y, folds, weight, judged)


def candidates(study: Study, store: TrialStore, metric: Metric) -> list[Trial]:
    """The complete trials whose models are there, best first; a stack layer only beside all that it learns from."""
    able = [
        t
        for t in study.trials
        if t.folds >= study.folds and t.score is not None and store.has_models(t.id, study.folds)
    ]
    best = sorted(able, key=lambda trial: metric.loss(trial.score or 0.0))[:MOST_CANDIDATES]
    names = {trial.id for trial in best}
    return [trial for trial in best if names.issuperset(bases_of(trial.params))]


def _measure(
    store: TrialStore, trials: Sequence[Trial], runner: Runner, seconds: float, memory_mb: float
) -> list[Measured]:
    """Each trial's milliseconds to encode and to predict one row, and rows a second; zeros where time ran out."""
    left = min(MEASURE_SECONDS, max(0.5, seconds))
    arguments = {
        "study": str(store.folder),
        "folders": [str(store.fold_folder(trial.id, 0)) for trial in trials],
        "families": [t.family for t in trials],
        "seconds": left,
    }
    outcome = runner.run(
        "automl_assets.training.measure:measure_latency",
        arguments,
        deadline_seconds=left + 2.0,
        memory_mb=memory_mb,
    )
    found: list[Measured] = [tuple(one) for one in outcome.value] if outcome.kind == "ok" else []
    return found + [(0.0, 0.0, 0.0)] * (len(trials) - len(found))


def _nominal(trial: Trial) -> Measured:
    """What a member of a family usually costs a row."""
    view = registry.get(trial.family).view
    return NOMINAL_ENCODE_MS[view], NOMINAL_MS.get(trial.family, NOMINAL_USUAL_MS), 0.0


def _cost(store: TrialStore, trials: Sequence[Trial], trial: Trial, measured: Measured) -> Cost:
    found = (store.result(trial.id, fold) for fold in store.models(trial.id, MOST_FOLDS))
    sizes = tuple(result.size_mb for result in found if result is not None)
    encode_ms, estimator_ms, _ = measured
    _, recipe = without_recipe(trial.params)
    view = registry.get(trial.family).view + (digest_of(recipe) if recipe else "")
    names = [one.id for one in trials]
    return Cost(view, estimator_ms, encode_ms, sizes, tuple(names.index(base) for base in bases_of(trial.params)))


def _row(trial: Trial, weight: float, score: float, cost: Cost, measured: Measured) -> Member:
    """A leaderboard row. A bag of folds costs a row its folds' latency each.

    Its score is over the rows of all folds together, as the ensemble's is: a mean of folds would not compare with it.
    """
    return Member(
        name=trial.id,
        family=trial.family,
        weight=weight,
        score=score if score == score else trial.score or 0.0,
        fit_seconds=trial.fit_seconds,
        row_ms=round(row_ms([cost]), 3),
        rows_per_second=round(measured[2] / max(1, cost.folds), 1),
        memory_mb=trial.memory_mb,
        size_mb=round(size_mb([cost]), 3),
    )


def ensemble_row(members: Sequence[Member], score: float, size: float, milliseconds: float) -> Member:
    """The leaderboard row of the model that some members make."""
    slowest = [1 / member.rows_per_second for member in members if member.rows_per_second]
    return Member(
        name="ensemble",
        family="ensemble",
        weight=1.0,
        score=score,
        fit_seconds=round(sum(member.fit_seconds for member in members), 3),
        row_ms=round(milliseconds, 3),
        rows_per_second=round(1 / sum(slowest), 1) if slowest else 0.0,
        memory_mb=max((member.memory_mb for member in members), default=0.0),
        size_mb=round(size, 3),
    )
