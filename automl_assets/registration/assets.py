"""registered_model and champion."""

from functools import partial
from typing import Any
from urllib.parse import unquote

import dagster as dg

from automl_assets.core.errors import RegistryError
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.ports import VersionInfo
from automl_assets.core.provenance import git_commit, lock_hash, package_version
from automl_assets.core.records import Act, now
from automl_assets.core.steps import versions_of
from automl_assets.core.values import (
    Batch,
    Champion,
    CleanTable,
    Evaluation,
    RawTable,
    Registration,
    Study,
    TrainedModel,
    TrainingWindow,
)
from automl_assets.ingestion.steps import RAW_TABLE, TRAINING_WINDOW
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import pipeline_text
from automl_assets.quality.report import quarantine_reasons
from automl_assets.registration.compare import Contender, contest
from automl_assets.registration.gate import Comparison
from automl_assets.registration.record import VersionRecord
from automl_assets.registration.register import (
    Candidate,
    Provenance,
    publish_candidate,
    settle_alias,
)
from automl_assets.registration.steps import CHAMPION, REGISTERED_MODEL
from automl_assets.registration.unseen import BatchRows, groups_of, unseen_rows
from automl_assets.training.model import ModelCard
from automl_assets.training.steps import TRAINED_MODEL
from automl_assets.tuning.machine import Machine
from automl_assets.tuning.steps import TUNING_STUDY
from resources.fit_runner import FitRunner
from resources.model_registry import ModelRegistry
from resources.platform_database import PlatformRecords
from resources.records.acts import Acts
from resources.steps import Steps, asset_key, inputs_of, step_asset
from resources.table_store import WHOLE, TableStore

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
            remembered=store.root / evaluation.remembered if evaluation.remembered else None,
            record=_record(config, store, clean_table, trained_model),
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


def _record(config: PipelineConfig, store: TableStore, clean: CleanTable, model: TrainedModel) -> VersionRecord | None:
    """What it takes to make the model again; None where nothing tells what its search was given."""
    study = _study_of(config, store, clean, model)
    machine = Machine.noted(store.study_folder(study.key)) if study is not None else None
    if study is None or machine is None:
        return None
    return VersionRecord.of(clean, study, model.score, machine, deterministic=config.tuning.deterministic)


def _study_of(config: PipelineConfig, store: TableStore, clean: CleanTable, model: TrainedModel) -> Study | None:
    """The search that a model was made of: with no other does its step have the fingerprint under which it is kept."""
    studies = [store.latest(config.name, TUNING_STUDY.name), *store.every(config.name, TUNING_STUDY.name)]
    for study in (study for study in studies if isinstance(study, Study)):
        versions = versions_of({"clean_table": clean, "tuning_study": study})
        if store.find(config.name, TRAINED_MODEL.name, WHOLE, TRAINED_MODEL.fingerprint(config, versions)) == model:
            return study
    return None


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
        partial(_compare, config, candidate, steps, fits, registry),
        moving=lambda before, why: Acts(records.database()).record(
            Act(config.name, "promote", GATE, why, before, info.version, now())
        ),
        url=registry.url(info),
        shadow_batches=config.registration.shadow_batches,
    )


def _compare(
    config: PipelineConfig,
    candidate: Candidate,
    steps: Steps,
    fits: FitRunner,
    registry: ModelRegistry,
    champion: VersionInfo,
) -> Comparison:
    """The candidate against the champion on the rows that neither was trained on."""
    try:
        old = contender(registry, champion)
    except RegistryError:
        return Comparison(champion.version, 0, None, champion_fits_schema=False)
    card = ModelCard.read(candidate.folder)
    batches = [batch_rows(steps.store, batch) for batch in candidate.window.batches]
    found = unseen_rows(batches, [card, ModelCard.read(old.folder)], card.classes, seed=config.seed)
    if found is None:
        return Comparison(champion.version, 0, None)
    rows, y = found
    return contest(
        Contender("new", candidate.folder, candidate.model.digest),
        old,
        rows,
        y,
        card,
        fits.runner(),
        groups=groups_of(rows, config.columns.sensitive, config.columns.private),
        memory_mb=steps.memory.fit_mb(),
        seed=config.seed,
    )


def contender(registry: ModelRegistry, info: VersionInfo) -> Contender:
    """A version's model files.

    Raises:
        RegistryError: they are gone, or the server does not answer.
    """
    return Contender(info.version, registry.folder(info, "model"), info.tags.get("model_sha256") or None)


def batch_rows(store: TableStore, batch: Batch) -> BatchRows:
    """A batch's rows, and the digests under which a model may have been trained on them."""
    digests = tuple(digest for digest in (batch.table.digest, batch.raw_digest) if digest)
    return BatchRows(store.open([batch.table]), digests, replaced=batch.key == WHOLE)


def stored_batches(store: TableStore, pipeline: str) -> list[BatchRows]:
    """Every stored batch that is not in quarantine, with the labels that the last training window joined to it."""
    window = store.latest(pipeline, TRAINING_WINDOW.name)
    joined = window.batches if isinstance(window, TrainingWindow) else ()
    labelled = {batch.raw_digest: batch for batch in joined if batch.raw_digest}
    found = []
    for folder in store.batches(pipeline, RAW_TABLE.name):
        raw = store.latest(pipeline, RAW_TABLE.name, unquote(folder))
        if isinstance(raw, RawTable) and not quarantine_reasons(raw.checks):
            batch = labelled.get(raw.table.digest) or Batch(key=raw.batch, table=raw.table)
            if (store.tables_root / batch.table.path).is_file():
                found.append(batch_rows(store, batch))
    return found


def _describe(found: Registration) -> dict[str, Any]:
    return {
        "version": found.version,
        "promoted": found.promoted,
        **({"alias": found.alias} if found.alias else {}),
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
