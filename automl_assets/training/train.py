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
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric, metric_named
from automl_assets.training.calibrate import Calibration, calibrate
from automl_assets.training.ensemble import greedy_weights
from automl_assets.training.losses import LOSSES_FOLDER, train_losses
from automl_assets.training.model import MODEL_FILE, ModelCard, write_checksums
from automl_assets.tuning.fold_fit import class_prior
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import numpy as np

MOST_CANDIDATES = 16
INTERVAL_COVERAGE = 0.9
MEASURE_SECONDS = 20.0


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
) -> TrainedModel:
    """Choose, weigh, calibrate and write the model into ``root/folder/<digest>``.

    Args:
        seconds: what is left of the budget; measuring each candidate's row latency stops then.
    """
    begun = time.monotonic()
    metric = metric_named(study.metric)
    y, folds, weight = store.labels()
    judged = (folds >= 0) & (folds < study.folds)
    candidates = _candidates(study, store, metric)
    predictions = [store.predicted(trial.id, study.folds) for trial in candidates]
    rows_weight = None if weight is None else weight[judged]
    weights = greedy_weights(metric, y[judged], predictions, weight=rows_weight)
    blended = sum(w * p.astype(float) for w, p in zip(weights, predictions, strict=True))
    assert not isinstance(blended, int)
    calibration = calibrate(y[judged], blended, folds[judged], rows_weight) if facts.classes else Calibration()
    blended = calibration.apply(blended)
    losses: dict[str, bytes] = {}
    if not facts.classes and facts.holdout.share:
        losses = train_losses(store, metric.name, blended, judged, runner, memory_mb=memory_mb)
    measured = _measure(store, candidates, runner, seconds - (time.monotonic() - begun), memory_mb)
    scores = [metric(y[judged], p.astype(float), rows_weight) for p in predictions]
    leaderboard = [
        _member(store, trial, float(w), score, m, study.folds)
        for trial, w, score, m in zip(candidates, weights, scores, measured, strict=True)
    ]
    members = tuple(member for member in leaderboard if member.weight > 0)
    score = metric(y[judged], blended, rows_weight)
    prior, share = class_prior(y[judged], len(facts.classes))
    card = _card(facts, study, members, calibration, _residual_quantile(facts, y[judged], blended))
    card = replace(card, prior=tuple(prior.tolist()), prior_share=share)
    name, digest, size = _write(store, study, members, card, losses, root / folder)
    leaderboard.append(_ensemble_row(members, score, size))
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
) -> list[tuple[float, float]]:
    """Each trial's milliseconds for one row and rows a second in bulk; zeros where time did not suffice."""
    left = min(MEASURE_SECONDS, max(0.5, seconds))
    folders = [str(store.fold_folder(trial.id, 0)) for trial in trials]
    arguments = {
        "study": str(store.folder),
        "folders": folders,
        "families": [t.family for t in trials],
        "seconds": left,
    }
    outcome = runner.run(
        "automl_assets.training.measure:measure_latency",
        arguments,
        deadline_seconds=left + 2.0,
        memory_mb=memory_mb,
    )
    found = outcome.value if outcome.kind == "ok" else []
    return [tuple(pair) for pair in found] + [(0.0, 0.0)] * (len(trials) - len(found))


def _member(
    store: TrialStore, trial: Trial, weight: float, score: float, measured: tuple[float, float], folds: int
) -> Member:
    """A leaderboard row. A bag of folds costs a row its folds' latency each.

    Its score is over the rows of all folds together, as the ensemble's is: a mean of folds would not compare with it.
    """
    results = store.results(trial.id, folds)
    row_ms, rows_per_second = measured
    return Member(
        name=trial.id,
        family=trial.family,
        weight=weight,
        score=score if score == score else trial.score or 0.0,
        fit_seconds=trial.fit_seconds,
        row_ms=round(row_ms * folds, 3),
        rows_per_second=round(rows_per_second / folds, 1),
        memory_mb=trial.memory_mb,
        size_mb=round(sum(result.size_mb for result in results), 3),
    )


def _ensemble_row(members: Sequence[Member], score: float, size_mb: float) -> Member:
    slowest = [1 / member.rows_per_second for member in members if member.rows_per_second]
    return Member(
        name="ensemble",
        family="ensemble",
        weight=1.0,
        score=score,
        fit_seconds=round(sum(member.fit_seconds for member in members), 3),
        row_ms=round(sum(member.row_ms for member in members), 3),
        rows_per_second=round(1 / sum(slowest), 1) if slowest else 0.0,
        memory_mb=max((member.memory_mb for member in members), default=0.0),
        size_mb=round(size_mb, 3),
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
    facts: ModelFacts, study: Study, members: Sequence[Member], calibration: Calibration, quantile: float | None
) -> ModelCard:
    from importlib.metadata import version

    libraries = ("automl-assets", "lightgbm", "numpy", "scikit-learn", "xgboost")
    described = tuple(
        {
            "name": member.name,
            "family": member.family,
            "weight": member.weight,
            "folders": [f"members/{i}/fold_{k}" for k in range(study.folds)],
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
            for fold, relative in enumerate(described["folders"]):
                source = store.fold_folder(member.name, fold)
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
