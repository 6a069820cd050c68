"""trained_model."""

from typing import Any

import dagster as dg

from automl_assets.core.values import CleanTable, Member, Study, TrainedModel
from automl_assets.pipeline import PipelineConfig
from automl_assets.training.facts import model_facts
from automl_assets.training.steps import TRAINED_MODEL
from automl_assets.training.train import train_model
from automl_assets.tuning.trial_store import TrialStore
from resources.fit_runner import FitRunner
from resources.steps import Steps, inputs_of, step_asset

POOL = "training"


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(
        config,
        TRAINED_MODEL,
        kinds={"scikitlearn", "xgboost", "lightgbm"},
        pool=POOL,
        ins=inputs_of(config, *TRAINED_MODEL.inputs),
    )
    def trained_model(
        context: dg.AssetExecutionContext, steps: Steps, fits: FitRunner, clean_table: CleanTable, tuning_study: Study
    ) -> dg.MaterializeResult[TrainedModel]:
        """The greedy weighted ensemble of the study's best configurations, calibrated, as a folder of native files."""
        return steps.run(
            context,
            config,
            TRAINED_MODEL,
            {"clean_table": clean_table, "tuning_study": tuning_study},
            lambda: train_model(
                TrialStore(steps.store.study_folder(tuning_study.key)),
                tuning_study,
                model_facts(config.name, clean_table),
                fits.runner(),
                root=steps.store.models_root,
                folder=config.name,
                seconds=config.tuning.time_budget_seconds - tuning_study.seconds,
                memory_mb=steps.memory.fit_mb(),
                prefer=config.tuning.prefer,
                ensemble=config.tuning.ensemble,
                deterministic=config.tuning.deterministic,
            ),
            _describe,
        )

    return [trained_model]


def leaderboard_table(members: tuple[Member, ...]) -> dg.MetadataValue:
    """The leaderboard as the UI shows it."""
    rows = [
        f"| {m.name} | {m.weight:.2f} | {m.score:.6g} | {m.fit_seconds:.1f} | {m.row_ms:.1f} "
        f"| {m.rows_per_second:,.0f} | {m.memory_mb:.0f} | {m.size_mb:.2f} |"
        for m in members
    ]
    header = ["| model | weight | out-of-fold score | fit s | ms a row | rows/s | MiB | MiB on disk |", "|-" * 8 + "|"]
    return dg.MetadataValue.md("\n".join([*header, *rows]))


def _of_labels(model: TrainedModel) -> dict[str, Any]:
    """The expected calibration error with and without the calibration, and how labels follow; nothing for numbers."""
    if model.calibration_error is None:
        return {}
    before, after = model.calibration_error
    return {"calibration_error_before": before, "calibration_error": after, "decision": model.decision}


def _describe(model: TrainedModel) -> dict[str, Any]:
    return {
        f"out_of_fold_{model.metric}": model.score,
        "members": len(model.members),
        "calibration": model.calibration,
        **_of_labels(model),
        **({"interval": model.interval} if model.interval else {}),
        "size_mb": model.size_mb,
        "training_seconds": model.seconds,
        "leaderboard": leaderboard_table(model.leaderboard),
    }
