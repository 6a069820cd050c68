"""evaluation."""

import base64
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import apply_plan, roles_after
from automl_assets.core.tables import read
from automl_assets.core.values import CleaningPlan, Evaluation, Problem, Study, TrainedModel, TrainingWindow
from automl_assets.evaluation.figures import draw_figures
from automl_assets.evaluation.report import HoldoutRows, evaluate
from automl_assets.evaluation.steps import EVALUATION
from automl_assets.learn.split import numbers_of
from automl_assets.pipeline import PipelineConfig
from automl_assets.problems.detect import holdout_mask
from automl_assets.problems.target import encode_target
from resources.fit_runner import FitRunner
from resources.steps import Steps, inputs_of, step_asset
from resources.table_store import TableStore

MOST_IMPORTANCES = 20


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, EVALUATION, kinds={"scikitlearn", "matplotlib"}, ins=inputs_of(config, *EVALUATION.inputs))
    def evaluation(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        training_window: TrainingWindow,
        problem: Problem,
        cleaning_plan: CleaningPlan,
        tuning_study: Study,
        trained_model: TrainedModel,
    ) -> dg.MaterializeResult[Evaluation]:
        """The model, a linear and a dummy baseline on the same holdout rows, with bootstrap intervals."""
        return steps.run(
            context,
            config,
            EVALUATION,
            {
                "training_window": training_window,
                "problem": problem,
                "cleaning_plan": cleaning_plan,
                "tuning_study": tuning_study,
                "trained_model": trained_model,
            },
            lambda: _judge(config, steps, fits, training_window, problem, cleaning_plan, tuning_study, trained_model),
            lambda found: _describe(found, steps.store),
        )

    return [evaluation]


def _judge(
    config: PipelineConfig,
    steps: Steps,
    fits: FitRunner,
    window: TrainingWindow,
    problem: Problem,
    plan: CleaningPlan,
    study: Study,
    model: TrainedModel,
) -> Evaluation:
    store = steps.store
    found, _ = evaluate(
        store.models_root / model.path,
        store.study_folder(study.key),
        holdout_rows(store, window, problem, plan, config.columns.sensitive),
        fits.runner(),
        kind=problem.kind,
        metric_name=problem.metric,
        roles=roles_after(plan, {name: problem.roles[name] for name in problem.features()}),
        classes=problem.classes,
        seed=config.seed,
        memory_mb=steps.memory.fit_mb(),
    )
    folder = store.report_path(config.name, f"figures-{model.digest[:12]}")
    figures = draw_figures(found, problem.classes, folder)
    return found.model_copy(update={"figures": tuple(str(path.relative_to(store.root)) for path in figures)})


def holdout_rows(
    store: TableStore, window: TrainingWindow, problem: Problem, plan: CleaningPlan, sensitive: list[str]
) -> HoldoutRows:
    """The rows that judge, cleaned by the plan."""
    dataset = store.open([batch.table for batch in window.batches])
    raw = read(dataset, None, holdout_mask(dataset, problem))
    y, _ = encode_target(raw.column(problem.target), problem.classes)
    weight_name = problem.column_with("weight")
    clean = apply_plan(plan, raw)
    features = [name for name in problem.features() if name in clean.column_names]
    return HoldoutRows(
        clean=clean.select(features),
        y=y,
        weight=numbers_of(raw.column(weight_name)) if weight_name else None,
        sensitive={name: raw.column(name) for name in sensitive if name in raw.column_names},
    )


def _describe(found: Evaluation, store: TableStore) -> dict[str, Any]:
    score, gain = found.holdout, found.gain_over_linear
    importances = {f"importance: {name}": value for name, value in list(found.importances.items())[:MOST_IMPORTANCES]}
    slices = [f"| {s.column} | {s.group} | {s.rows:,} | {s.score} |" for s in found.slices]
    pictures = {Path(figure).stem: _picture(store.root / figure) for figure in found.figures}
    return {
        **found.metrics,
        f"holdout_{found.metric}": score.value,
        f"holdout_{found.metric}_low": score.low,
        f"holdout_{found.metric}_high": score.high,
        f"dummy_{found.metric}": found.dummy,
        f"linear_{found.metric}": found.linear,
        "gain_over_linear": gain.value,
        "gain_over_linear_low": gain.low,
        "gain_over_linear_high": gain.high,
        "holdout_rows": found.rows,
        **importances,
        **pictures,
        **({"slices": dg.MetadataValue.md("\n".join(["| column | group | rows | score |", "|-|-|-|-|", *slices]))}
           if slices else {}),
    }  # fmt: skip


def _picture(path: Path) -> dg.MetadataValue:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.stem}](data:image/png;base64,{encoded})")
