"""tuning_study."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import roles_after
from automl_assets.core.progress import Progress, stop_requested, tell
from automl_assets.core.values import CleanTable, Study
from automl_assets.pipeline import PipelineConfig
from automl_assets.tuning.importances import parameter_importances
from automl_assets.tuning.machine import Machine
from automl_assets.tuning.search_settings import SearchProgress
from automl_assets.tuning.steps import TUNING_STUDY
from automl_assets.tuning.study import run_study
from resources.fit_runner import FitRunner
from resources.gpu_device import GpuDevice
from resources.steps import Steps, inputs_of, step_asset

POOL = "training"


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, TUNING_STUDY, kinds={"optuna"}, pool=POOL, ins=inputs_of(config, *TUNING_STUDY.inputs))
    def tuning_study(
        context: dg.AssetExecutionContext, steps: Steps, fits: FitRunner, gpu: GpuDevice, clean_table: CleanTable
    ) -> dg.MaterializeResult[Study]:
        """Configurations of every model family, judged out of fold within the time budget; resumed after a kill."""
        return steps.run(
            context,
            config,
            TUNING_STUDY,
            {"clean_table": clean_table},
            lambda: _search(config, steps, fits, gpu, clean_table, context.run.tags),
            _describe,
            final=lambda study: study.complete,
        )

    return [tuning_study]


def _search(
    config: PipelineConfig, steps: Steps, fits: FitRunner, gpu: GpuDevice, clean: CleanTable, tags: Mapping[str, str]
) -> Study:
    runner = fits.runner()
    if runner.pid is not None:
        steps.lock.note_child(config.name, runner.pid)
    key = TUNING_STUDY.fingerprint(config, {"clean_table": clean.data_version()})
    machine = Machine(fits.workers(tags), round(steps.memory.fit_mb(), 1), gpu.xgboost_device())
    lanes = f"-{machine.cores}" if config.tuning.deterministic else ""  # other lanes try other configurations
    folder = steps.store.study_folder(f"{config.name}-{key}{lanes}")
    machine.note(folder)
    return run_study(
        folder,
        steps.store.open([clean.table]),
        clean.problem,
        config.tuning,
        runner,
        roles=roles_after(clean.plan, clean.problem.feature_roles()),
        seed=config.seed,
        cores=machine.cores,
        memory_mb=machine.memory_mb,
        device=machine.device,
        recipe=config.features.recipe(),
        memory_file=steps.store.memory_file,
        report=lambda progress: tell(Progress(config.name, TUNING_STUDY.name, "working", progress_line(progress))),
        should_stop=stop_requested,
    )


def progress_line(progress: SearchProgress) -> str:
    """How far the search is, in a line."""
    best = f", best {progress.best_score:.5g} ({progress.best_family})" if progress.best_score is not None else ""
    return f"{progress.trials} configurations{best}, {progress.seconds_left:.0f} s left"


def _describe(study: Study) -> dict[str, Any]:
    ranked = sorted((t for t in study.trials if t.score is not None), key=lambda t: (-t.folds, t.id))
    rows = [
        f"| {t.id} | {t.state} | {t.score:.6g} | {t.folds} | {t.fit_seconds:.1f} | {t.memory_mb:.0f} | {t.reason} |"
        for t in ranked[:30]
    ]
    failed = [t for t in study.trials if t.state == "failed"]
    header = ["| configuration | state | score | folds | seconds | MiB | |", "|-|-|-|-|-|-|-|"]
    return {
        "trials": len(study.trials),
        "failed_trials": len(failed),
        "folds": study.folds,
        "study_seconds": study.seconds,
        "stopped_because": study.stopped_because,
        "leaderboard": dg.MetadataValue.md("\n".join([*header, *rows])),
        **_importances(study),
        **({"failures": "; ".join(f"{t.id}: {t.reason}" for t in failed[:10])} if failed else {}),
    }


def _importances(study: Study) -> dict[str, Any]:
    """A row a family: its parameters, those that its score depended on most first."""
    rows = [
        f"| {family} | {', '.join(f'{name} {share:.0%}' for name, share in shares.items())} |"
        for family, shares in parameter_importances(study).items()
    ]
    if not rows:
        return {}
    return {"parameter_importances": dg.MetadataValue.md("\n".join(["| family | |", "|-|-|", *rows]))}
