"""From a trained and judged model to a version: publish once, and move the alias if the gate says so."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from automl_assets.core.ports import Publication, Registry, VersionInfo
from automl_assets.core.values import (
    CleaningPlan,
    Evaluation,
    Problem,
    Registration,
    TrainedModel,
    TrainingWindow,
)
from automl_assets.registration.gate import Comparison, Decision, Policy, decide_promotion
from automl_assets.registration.model_card import model_card
from automl_assets.registration.record import RECORD_FILE, VersionRecord

CHAMPION_ALIAS = "champion"
CHALLENGER_ALIAS = "challenger"
REMEMBERED = "remembered"
FORMAT_VERSION = "1"


@dataclass(frozen=True)
class Candidate:
    """Everything that a new version consists of.

    remembered: what later batches are compared with. record: what it takes to make the version again.
    """

    pipeline: str
    window: TrainingWindow
    problem: Problem
    plan: CleaningPlan
    model: TrainedModel
    evaluation: Evaluation
    folder: Path
    figures: tuple[Path, ...]
    remembered: Path | None = None
    record: VersionRecord | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a version comes from: what makes it repeatable."""

    dagster_run_id: str
    fingerprint: str
    config_yaml: str
    config_hash: str
    code_version: str
    git_commit: str
    lock_hash: str
    seed: int


def publish_candidate(registry: Registry, candidate: Candidate, provenance: Provenance) -> VersionInfo:
    """The version of this candidate: a new one, or the one that an earlier attempt made from the same fingerprint."""
    known = registry.find(candidate.pipeline, "fingerprint", provenance.fingerprint)
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="automl-publish-") as scratch:
        return registry.publish(_publication(candidate, provenance, Path(scratch)))


def _publication(candidate: Candidate, provenance: Provenance, scratch: Path) -> Publication:
    found, model = candidate.evaluation, candidate.model
    documents = {
        "pipeline.yaml": provenance.config_yaml,
        "evaluation.json": json.dumps(found.model_dump(mode="json"), indent=1),
        "plan.json": json.dumps(candidate.plan.model_dump(mode="json"), indent=1),
        "problem.json": json.dumps(candidate.problem.model_dump(mode="json"), indent=1),
    }
    card = model_card(candidate.pipeline, candidate.window, candidate.problem, candidate.plan, model, found)
    documents["model_card.md"] = card
    record = candidate.record
    if record is not None:
        documents[RECORD_FILE] = record.to_text()
    files: dict[str, Path] = {"model": candidate.folder}
    for name, text in documents.items():
        (scratch / name).write_text(text, encoding="utf-8")
    for figure in candidate.figures:
        target = scratch / "figures" / figure.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(figure.read_bytes())
    if candidate.remembered is not None:
        files[REMEMBERED] = candidate.remembered
    files[""] = scratch
    data_hashes = ",".join(batch.table.digest for batch in candidate.window.batches)
    return Publication(
        name=candidate.pipeline,
        files=files,
        metrics={
            **found.metrics,
            f"holdout_{found.metric}": found.holdout.value,
            f"holdout_{found.metric}_low": found.holdout.low,
            f"holdout_{found.metric}_high": found.holdout.high,
            f"linear_{found.metric}": found.linear,
            f"dummy_{found.metric}": found.dummy,
            "gain_over_linear": found.gain_over_linear.value,
            f"out_of_fold_{model.metric}": model.score,
            "size_mb": model.size_mb,
        },
        params={
            "kind": candidate.problem.kind,
            "metric": candidate.problem.metric,
            "target": candidate.problem.target,
            "train_rows": str(candidate.problem.train_rows),
            "holdout_rows": str(candidate.problem.holdout_rows),
            "members": ", ".join(member.name for member in model.members),
            "calibration": model.calibration,
            "seed": str(provenance.seed),
        },
        run_tags={
            "mlflow.runName": f"{candidate.pipeline} {provenance.dagster_run_id[:8]}",
            "mlflow.note.content": card,
            "dagster_run_id": provenance.dagster_run_id,
        },
        version_tags={
            "dagster_run_id": provenance.dagster_run_id,
            "fingerprint": provenance.fingerprint,
            "data_hashes": data_hashes[:5000],
            "config_hash": provenance.config_hash,
            "code_version": provenance.code_version,
            "git_commit": provenance.git_commit,
            "lock_hash": provenance.lock_hash,
            "seed": str(provenance.seed),
            "format_version": FORMAT_VERSION,
            "model_sha256": model.digest,
            **({"deterministic": "true"} if record is not None and record.deterministic else {}),
        },
        description=f"{found.metric} {found.holdout.value:.5g} on {found.rows:,} holdout rows",
    )


def settle_alias(
    registry: Registry,
    info: VersionInfo,
    policy: Policy,
    metric: str,
    compare: Callable[[VersionInfo], Comparison],
    *,
    moving: Callable[[str | None, str], None],
    url: str | None,
    shadow_batches: int = 0,
) -> Registration:
    """Ask the gate, move the alias if it says so, and describe what happened.

    A version that should score beside the champion first becomes the challenger; a new champion ends any shadow, which
    was held against the old one.

    Args:
        compare: how this version does against the champion, on rows that neither was trained on.
        moving: told the version before, if any, and why, right before the alias moves: a kill in between loses nothing.
        shadow_batches: how many batches a better version scores beside the champion first.
    """
    champion = registry.aliased(info.name, CHAMPION_ALIAS)
    if champion is not None and champion.version == info.version:
        decision = Decision(True, False, "it is the champion already")
    else:
        asked = champion is not None and policy in ("if_better", "always")
        comparison = compare(champion) if asked and champion is not None else None
        decision = decide_promotion(policy, comparison, metric, shadow_batches=shadow_batches)
        if decision.promote:
            moving(champion.version if champion is not None else None, decision.reason)
            registry.remove_alias(info.name, CHALLENGER_ALIAS)
            registry.set_alias(info.name, CHAMPION_ALIAS, info.version)
        elif decision.shadow:
            registry.set_alias(info.name, CHALLENGER_ALIAS, info.version)
    registry.tag(
        info.name, info.version, {"gate": decision.reason[:500], "review_requested": str(decision.review).lower()}
    )
    return Registration(
        name=info.name,
        version=info.version,
        run_id=info.run_id,
        alias=CHAMPION_ALIAS if decision.promote else CHALLENGER_ALIAS if decision.shadow else None,
        promoted=decision.promote,
        reason=decision.reason,
        url=url,
    )
