"""From a finished study to a model folder: which configurations, how weighted, how calibrated, at what cost a row."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.files import atomic_folder, folder_size
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.values import CleaningPlan, Column, HoldoutRule, Member, Study, TrainedModel, Trial
from automl_assets.learn.families import registry
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric, metric_named
from automl_assets.training.calibrate import Calibration, calibrate
from automl_assets.training.choose import Cost, Prefer, choose, row_ms, size_mb
from automl_assets.training.losses import LOSSES_FOLDER, train_losses
from automl_assets.training.model import MODEL_FILE, ModelCard, write_checksums
from automl_assets.tuning.fold_fit import class_prior
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import numpy as np

MOST_CANDIDATES, MOST_FOLDS = 16, 16
INTERVAL_COVERAGE = 0.9
MEASURE_SECONDS = 20.0

Measured = tuple[float, float, float]


@dataclass(frozen=True)
class ModelFacts:
    """What a model must know about the problem that it was trained for."""

    pipeline: str
    kind: str
    target: str
    classes: tuple[str, ...]
    roles: Mapping[str, str]
    columns: tuple[Column, ...]
    plan: CleaningPlan
    holdout: HoldoutRule
    window: tuple[str, ...]
    id_columns: tuple[str, ...] = ()
    reference: str = ""


def train_model(
    store: TrialStore,
    study: Study,
    facts: ModelFacts,
    runner: Runner,
    *,
    root: Path,
    folder: str,
    seconds: float,
    memory_mb: float,
    prefer: Prefer = "balanced",
) -> TrainedModel:
    """Choose, weigh, calibrate and write the model into ``root/folder/<digest>``.

    Args:
        seconds: what is left of the budget; measuring each candidate's row latency stops then.
        prefer: how much a row may cost.
    """
    begun = time.monotonic()
    metric = metric_named(study.metric)
    y, folds, weight = store.labels()
    judged = (folds >= 0) & (folds < study.folds)
    candidates = _candidates(study, store, metric)
    predictions = [store.predicted(trial.id, study.folds) for trial in candidates]
    rows_weight = None if weight is None else weight[judged]
    measured = _measure(store, candidates, runner, seconds, memory_mb)
    costs = [_cost(store, trial, m) for trial, m in zip(candidates, measured, strict=True)]
    choice = choose(metric, y[judged], predictions, costs, prefer, weight=rows_weight)
    weights = choice.weights
    blended = sum(w * p.astype(float) for w, p in zip(weights, predictions, strict=True))
    assert not isinstance(blended, int)
    calibration = calibrate(y[judged], blended, folds[judged], rows_weight) if facts.classes else Calibration()
    blended = calibration.apply(blended)
    losses: dict[str, bytes] = {}
    if not facts.classes and facts.holdout.share:
        losses = train_losses(store, metric.name, blended, judged, runner, memory_mb=memory_mb)
    scores = [metric(y[judged], p.astype(float), rows_weight) for p in predictions]
    leaderboard = [
        _member(trial, float(w), score, cost.with_folds(n), m)
        for trial, w, score, cost, n, m in zip(candidates, weights, scores, costs, choice.folds, measured, strict=True)
    ]
    members = tuple(member for member in leaderboard if member.weight > 0)
    score = metric(y[judged], blended, rows_weight)
    prior, share = class_prior(y[judged], len(facts.classes))
    kept = {trial.id: n for trial, n in zip(candidates, choice.folds, strict=True)}
    bags = {member.name: store.models(member.name, MOST_FOLDS)[: kept[member.name]] for member in members}
    card = _card(facts, study, members, bags, calibration, _residual_quantile(facts, y[judged], blended))
    card = replace(card, prior=tuple(prior.tolist()), prior_share=share)
    name, digest, size = _write(store, study, members, card, losses, root / folder)
    chosen = [cost.with_folds(n) for cost, n, w in zip(costs, choice.folds, weights, strict=True) if w > 0]
    leaderboard.append(_ensemble_row(members, score, size, row_ms(chosen)))
    return TrainedModel(
        path=f"{folder}/{name}",
        digest=digest,
        size_mb=round(size, 3),
        metric=metric.name,
        score=score,
        members=members,
        leaderboard=tuple(sorted(leaderboard, key=lambda member: metric.loss(member.score))),
        calibration=calibration.method,
        seconds=round(time.monotonic() - begun, 3),
    )


def _candidates(study: Study, store: TrialStore, metric: Metric) -> list[Trial]:
    """The complete trials whose models are there, best first."""
    able = [
        t
        for t in study.trials
        if t.folds >= study.folds and t.score is not None and store.has_models(t.id, study.folds)
    ]
    return sorted(able, key=lambda trial: metric.loss(trial.score or 0.0))[:MOST_CANDIDATES]


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


def _cost(store: TrialStore, trial: Trial, measured: Measured) -> Cost:
    found = (store.result(trial.id, fold) for fold in store.models(trial.id, MOST_FOLDS))
    sizes = tuple(result.size_mb for result in found if result is not None)
    encode_ms, estimator_ms, _ = measured
    return Cost(registry.get(trial.family).view, estimator_ms, encode_ms, sizes)


def _member(trial: Trial, weight: float, score: float, cost: Cost, measured: Measured) -> Member:
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


def _ensemble_row(members: Sequence[Member], score: float, size: float, milliseconds: float) -> Member:
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


def _residual_quantile(facts: ModelFacts, y: "np.ndarray", predicted: "np.ndarray") -> float | None:
    """The half-width of a 90% prediction interval: split conformal on out-of-fold residuals (Lei et al. 2018)."""
    import numpy as np

    if facts.classes:
        return None
    residuals = np.sort(np.abs(y - predicted))
    rank = int(np.ceil(INTERVAL_COVERAGE * (len(residuals) + 1))) - 1
    return float(residuals[min(rank, len(residuals) - 1)])


def _card(
    facts: ModelFacts,
    study: Study,
    members: Sequence[Member],
    bags: Mapping[str, Sequence[int]],
    calibration: Calibration,
    quantile: float | None,
) -> ModelCard:
    from importlib.metadata import version

    libraries = ("automl-assets", "lightgbm", "numpy", "scikit-learn", "xgboost")
    described = tuple(
        {
            "name": member.name,
            "family": member.family,
            "weight": member.weight,
            "folders": [f"members/{i}/fold_{k}" for k in bags[member.name]],
        }
        for i, member in enumerate(members)
    )
    return ModelCard(
        pipeline=facts.pipeline,
        kind=facts.kind,
        metric=study.metric,
        target=facts.target,
        classes=facts.classes,
        roles=facts.roles,
        columns=facts.columns,
        plan=facts.plan,
        holdout=facts.holdout,
        window=facts.window,
        members=described,
        calibration=calibration,
        residual_quantile=quantile,
        id_columns=facts.id_columns,
        reference=facts.reference,
        versions={name: version(name) for name in libraries},
    )


def _write(
    store: TrialStore, study: Study, members: Sequence[Member], card: ModelCard, losses: Mapping[str, bytes], root: Path
) -> tuple[str, str, float]:
    """Write the model's folder below `root`; its name, its digest and its size in MiB."""
    identity = digest_of({"card": card.to_json(), "study": study.data_version(), "losses": sorted(losses)})
    path = root / identity
    with atomic_folder(path) as partial:
        for member, described in zip(members, card.members, strict=True):
            for relative in described["folders"]:
                source = store.trials_folder / member.name / Path(relative).name
                (partial / relative).mkdir(parents=True)
                shutil.copy2(source / "encoder.json", partial / relative / "encoder.json")
                shutil.copytree(source / "model", partial / relative / "model")
        for relative, data in losses.items():
            (partial / LOSSES_FOLDER / relative).parent.mkdir(parents=True, exist_ok=True)
            (partial / LOSSES_FOLDER / relative).write_bytes(data)
        (partial / MODEL_FILE).write_text(json.dumps(card.to_json(), indent=1))
        write_checksums(partial)
    digest = digest_of(json.loads((path / "checksums.json").read_text()))
    return identity, digest, folder_size(path) / 2**20
