"""registered_model and champion."""

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from automl_assets.core.errors import RegistryError
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.ports import VersionInfo
from automl_assets.core.provenance import git_commit, lock_hash, package_version
from automl_assets.core.tables import read, write_arrow
from automl_assets.core.values import Champion, CleanTable, Evaluation, Problem, Registration, TrainedModel
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import pipeline_text
from automl_assets.problems.detect import holdout_mask
from automl_assets.problems.target import encode_target
from automl_assets.registration.gate import Comparison
from automl_assets.registration.register import (
    Candidate,
    Provenance,
    compare_models,
    publish_candidate,
    settle_alias,
    unseen_by,
)
from automl_assets.registration.steps import CHAMPION, REGISTERED_MODEL
from automl_assets.training.model import ModelCard
from resources.fit_runner import FitRunner
from resources.model_registry import ModelRegistry
from resources.platform_database import Act, PlatformRecords, now
from resources.steps import Steps, asset_key, inputs_of, step_asset
from resources.table_store import TableStore

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PREDICT_SECONDS = 120.0
GATE = "the gate"


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""
    return [_registered_model(config), _champion(config)]


def _registered_model(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(config, REGISTERED_MODEL, kinds={"mlflow"}, ins=inputs_of(config, *REGISTERED_MODEL.inputs))
    def registered_model(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        registry: ModelRegistry,
        records: PlatformRecords,
        clean_table: CleanTable,
        trained_model: TrainedModel,
        evaluation: Evaluation,
    ) -> dg.MaterializeResult[Registration]:
        """A version in MLflow with everything needed to repeat it; the champion alias moves if the gate says so."""
        store = steps.store
        candidate = Candidate(
            pipeline=config.name,
            window=clean_table.window,
            problem=clean_table.problem,
            plan=clean_table.plan,
            model=trained_model,
            evaluation=evaluation,
            folder=store.models_root / trained_model.path,
            figures=tuple(store.root / figure for figure in evaluation.figures),
        )
        return steps.run(
            context,
            config,
            REGISTERED_MODEL,
            {"clean_table": clean_table, "trained_model": trained_model, "evaluation": evaluation},
            lambda: _register(context.run.run_id, config, candidate, steps, fits, registry, records),
            _describe,
        )

    return registered_model


def _register(
    run_id: str,
    config: PipelineConfig,
    candidate: Candidate,
    steps: Steps,
    fits: FitRunner,
    registry: ModelRegistry,
    records: PlatformRecords,
) -> Registration:
    provenance = Provenance(
        dagster_run_id=run_id,
        fingerprint=digest_of({"model": candidate.model.digest, "evaluation": candidate.evaluation.data_version()}),
        config_yaml=pipeline_text(config),
        config_hash=digest_of(config.model_dump(mode="json")),
        code_version=package_version(),
        git_commit=git_commit(),
        lock_hash=lock_hash(),
        seed=config.seed,
    )
    info = publish_candidate(registry, candidate, provenance)
    return settle_alias(
        registry,
        info,
        config.registration.promote,
        candidate.problem.metric,
        partial(_compare, candidate, steps, fits, registry),
        moving=lambda before, why: records.database().record(
            Act(config.name, "promote", GATE, why, before, info.version, now())
        ),
        url=registry.url(info),
    )


def _compare(
    candidate: Candidate, steps: Steps, fits: FitRunner, registry: ModelRegistry, champion: VersionInfo
) -> Comparison:
    """The candidate against the champion on the rows that neither was trained on."""
    try:
        folder = registry.folder(champion, "model")
    except RegistryError:
        return Comparison(champion.version, 0, None, champion_fits_schema=False)
    card = ModelCard.read(folder)
    raw, y = _unseen_rows(candidate, steps.store, card)
    models = {
        "challenger": (candidate.folder, candidate.model.digest),
        "champion": (folder, champion.tags.get("model_sha256") or None),
    }
    with tempfile.TemporaryDirectory(prefix="automl-gate-") as scratch:
        predict = partial(_predict, models, raw, Path(scratch), candidate.problem, fits, steps.memory.fit_mb())
        return compare_models(predict, y, champion_version=champion.version, metric=candidate.problem.metric)


def _unseen_rows(candidate: Candidate, store: TableStore, champion: ModelCard) -> "tuple[pa.Table, np.ndarray]":
    import pyarrow as pa

    pieces = []
    for batch in candidate.window.batches:
        dataset = store.open([batch.table])
        mask = holdout_mask(dataset, candidate.problem)
        mask &= unseen_by(dataset, batch.table.digest, champion.holdout, champion.window)
        pieces.append(read(dataset, None, mask))
    rows = pa.concat_tables(pieces, promote_options="permissive")
    y, _ = encode_target(rows.column(candidate.problem.target), candidate.problem.classes)
    return rows, y


def _predict(
    models: dict[str, tuple[Path, str | None]],
    rows: "pa.Table",
    scratch: Path,
    problem: Problem,
    fits: FitRunner,
    memory_mb: float,
    who: str,
) -> "np.ndarray | None":
    import numpy as np

    table, out = scratch / "rows.arrow", scratch / f"{who}.npy"
    if not table.exists():
        write_arrow(table, rows)
    arguments = {
        "model": str(models[who][0]),
        "digest": models[who][1],
        "table": str(table),
        "out": str(out),
        "kind": problem.kind,
        "classes": list(problem.classes),
        "threads": 1,
    }
    outcome = fits.runner().run(
        "automl_assets.registration.judge:predict_rows",
        arguments,
        deadline_seconds=PREDICT_SECONDS,
        memory_mb=memory_mb,
    )
    answer = outcome.value_or_raise(f"Scoring the holdout with the {who}")
    return np.load(out, allow_pickle=False) if answer["fits"] else None


def _describe(found: Registration) -> dict[str, Any]:
    return {
        "version": found.version,
        "promoted": found.promoted,
        "reason": found.reason,
        "mlflow_run_id": found.run_id,
        **({"mlflow": dg.MetadataValue.url(found.url)} if found.url else {}),
    }


def _champion(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(config, CHAMPION, kinds={"mlflow"}, deps=[asset_key(config, REGISTERED_MODEL.name)])
    def champion(
        context: dg.AssetExecutionContext, steps: Steps, registry: ModelRegistry
    ) -> dg.MaterializeResult[Champion]:
        """The version that scores now; predictions become stale when it changes, on promotion and rollback only."""
        return steps.run(
            context,
            config,
            CHAMPION,
            {},
            lambda: current_champion(config.name, registry),
            lambda found: {"version": found.version, "mlflow_run_id": found.run_id},
            extra_versions=lambda: {"alias": current_champion(config.name, registry).version},
        )

    return champion


def current_champion(pipeline: str, registry: ModelRegistry) -> Champion:
    """The version that the alias points at.

    Raises:
        RegistryError: there is none yet.
    """
    info = registry.aliased(pipeline)
    if info is None:
        raise RegistryError(
            f"{pipeline} has no champion yet.",
            remedy="Train it with `automl run`, or promote a version with `automl promote`.",
        )
    return Champion(name=pipeline, version=info.version, run_id=info.run_id, digest=info.tags.get("model_sha256", ""))
