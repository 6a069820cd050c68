"""From a finished study to a model folder: weighed (`weighing`), calibrated, decided, and written."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.files import atomic_folder, folder_size
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.values import CleaningPlan, Column, HoldoutRule, Study, TrainedModel
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import Metric, metric_named
from automl_assets.training.calibrate import calibrate
from automl_assets.training.calibration import UNCALIBRATED, Calibration
from automl_assets.training.choose import Ensemble, Prefer
from automl_assets.training.intervals import INTERVALS_FOLDER, conformal_quantile, train_intervals
from automl_assets.training.losses import LOSSES_FOLDER, train_losses
from automl_assets.training.model import MODEL_FILE, ModelCard, write_checksums
from automl_assets.training.threshold import ARGMAX, Decision, choose_decision
from automl_assets.training.weighing import MOST_FOLDS, Weighed, ensemble_row, weigh
from automl_assets.tuning.fold_fit import class_prior
from automl_assets.tuning.stacking import bases_of
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import numpy as np


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
    costs: tuple[tuple[float, ...], ...] = ()
    class_weights: tuple[float, ...] = ()


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
    ensemble: Ensemble = "auto",
    deterministic: bool = False,
) -> TrainedModel:
    """Choose, weigh, calibrate and write the model into ``root/folder/<digest>``.

    Its score is a nested estimate: weights, calibration and decision were found without the fold of the row that is
    judged; only which configurations there are to weigh was found with it.

    Args:
        seconds: what is left of the budget; measuring each candidate's row latency stops then.
        prefer: how much a row may cost.
        ensemble: how the candidates become one model.
        deterministic: let nothing that was measured decide.
    """
    begun = time.monotonic()
    metric = metric_named(study.metric)
    found = weigh(
        store, study, metric, runner, seconds=seconds, memory_mb=memory_mb, prefer=prefer, ensemble=ensemble,
        deterministic=deterministic,
    )  # fmt: skip
    nested = found.choice.nested
    decided = _decide(metric, facts, found.y, nested, found.folds, found.weight)
    extra: dict[str, bytes] = {}
    if not facts.classes and facts.holdout.share:
        extra = _about_errors(store, metric, nested, found.judged, runner, memory_mb)
    card = _card(facts, study, _described(store, found), decided, _residual_quantile(facts, found.y, nested))
    prior, share = class_prior(found.y, len(facts.classes))
    card = replace(card, prior=tuple(prior.tolist()), prior_share=share, recipe=store.settings().get("recipe", {}))
    name, digest, size = _write(store, study, card, extra, root / folder)
    score = metric(found.y, decided.judged, found.weight)
    members = tuple(member for member in found.leaderboard if member.weight > 0)
    leaderboard = [*found.leaderboard, ensemble_row(members, score, size, found.milliseconds)]
    return TrainedModel(
        path=f"{folder}/{name}",
        digest=digest,
        size_mb=round(size, 3),
        metric=metric.name,
        score=score,
        members=members,
        leaderboard=tuple(sorted(leaderboard, key=lambda member: metric.loss(member.score))),
        calibration=card.calibration.method,
        seconds=round(time.monotonic() - begun, 3),
        calibration_error=decided.errors,
        decision=card.decision.told(facts.classes) if facts.classes else "",
        interval=_interval(facts, extra),
    )


@dataclass(frozen=True)
class _Decided:
    """What becomes of the blend: its calibration, its decision, and out-of-fold predictions as the metric judges them.

    errors: the expected calibration error before and after, out of fold; None for numbers.
    """

    judged: "np.ndarray"
    calibration: Calibration = UNCALIBRATED
    decision: Decision = ARGMAX
    errors: tuple[float, float] | None = None


def _decide(
    metric: Metric,
    facts: ModelFacts,
    y: "np.ndarray",
    blended: "np.ndarray",
    folds: "np.ndarray",
    weight: "np.ndarray | None",
) -> _Decided:
    """Calibrate the out-of-fold blend and choose how labels follow; values stay as they are.

    Where labels are judged, each row's label follows from a calibration and a decision that were made without it.
    """
    if not facts.classes:
        return _Decided(blended)
    found = calibrate(y, blended, folds, weight, metric)
    decision, judged = choose_decision(metric, y, found.crossed, folds, weight, costs=facts.costs)
    if not metric.of_labels:
        judged = found.crossed
    errors = (round(found.error_before, 6), round(found.error_after, 6))
    return _Decided(judged, found.calibration, decision, errors)


def _about_errors(
    store: TrialStore, metric: Metric, predicted: "np.ndarray", judged: "np.ndarray", runner: Runner, memory_mb: float
) -> dict[str, bytes]:
    """The files, by their names in the model's folder, of the two models of how wrong a number will be."""
    losses = train_losses(store, metric.name, predicted, judged, runner, memory_mb=memory_mb)
    intervals = train_intervals(store, predicted, judged, runner, memory_mb=memory_mb)
    return {f"{LOSSES_FOLDER}/{name}": data for name, data in losses.items()} | {
        f"{INTERVALS_FOLDER}/{name}": data for name, data in intervals.items()
    }


def _interval(facts: ModelFacts, files: Mapping[str, bytes]) -> str:
    if facts.classes:
        return ""
    return "adaptive" if any(name.startswith(INTERVALS_FOLDER) for name in files) else "constant"


def _described(store: TrialStore, found: Weighed) -> tuple[dict[str, Any], ...]:
    """The members as the card lists them: a folder a fold model, and the members from whose predictions one is made."""
    described: list[dict[str, Any]] = []
    for i, position in enumerate(found.members):
        trial = found.trials[position]
        folds = store.models(trial.id, MOST_FOLDS)[: found.choice.folds[position]]
        one = {
            "name": trial.id,
            "family": trial.family,
            "weight": float(found.choice.weights[position]),
            "folders": [f"members/{i}/fold_{fold}" for fold in folds],
        }
        inputs = bases_of(trial.params)
        described.append({**one, "inputs": list(inputs)} if inputs else one)
    return tuple(described)


def _residual_quantile(facts: ModelFacts, y: "np.ndarray", predicted: "np.ndarray") -> float | None:
    """The half-width of a 90% prediction interval: split conformal on out-of-fold residuals (Lei et al. 2018)."""
    return None if facts.classes else conformal_quantile(abs(y - predicted))


def _card(
    facts: ModelFacts,
    study: Study,
    described: tuple[dict[str, Any], ...],
    decided: _Decided,
    quantile: float | None,
) -> ModelCard:
    from importlib.metadata import version

    libraries = ("automl-assets", "lightgbm", "numpy", "scikit-learn", "xgboost")
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
        calibration=decided.calibration,
        decision=decided.decision,
        class_weights=facts.class_weights,
        residual_quantile=quantile,
        id_columns=facts.id_columns,
        reference=facts.reference,
        versions={name: version(name) for name in libraries},
    )


def _write(
    store: TrialStore, study: Study, card: ModelCard, extra: Mapping[str, bytes], root: Path
) -> tuple[str, str, float]:
    """Write the model's folder below `root`; its name, its digest and its size in MiB."""
    identity = digest_of({"card": card.to_json(), "study": study.data_version(), "extra": sorted(extra)})
    path = root / identity
    with atomic_folder(path) as partial:
        for member in card.members:
            for relative in member["folders"]:
                source = store.trials_folder / member["name"] / Path(relative).name
                (partial / relative).mkdir(parents=True)
                shutil.copy2(source / "encoder.json", partial / relative / "encoder.json")
                shutil.copytree(source / "model", partial / relative / "model")
        for relative, data in extra.items():
            (partial / relative).parent.mkdir(parents=True, exist_ok=True)
            (partial / relative).write_bytes(data)
        (partial / MODEL_FILE).write_text(json.dumps(card.to_json(), indent=1))
        write_checksums(partial)
    digest = digest_of(json.loads((path / "checksums.json").read_text()))
    return identity, digest, folder_size(path) / 2**20
