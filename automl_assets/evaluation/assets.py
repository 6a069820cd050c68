"""evaluation."""

import base64
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import apply_plan, roles_after
from automl_assets.core.tables import read
from automl_assets.core.values import CleanTable, Evaluation, Study, TrainedModel
from automl_assets.evaluation.figures import draw_figures
from automl_assets.evaluation.report import HoldoutRows, evaluate
from automl_assets.evaluation.steps import EVALUATION
from automl_assets.learn.split import numbers_of
from automl_assets.pipeline import PipelineConfig
from automl_assets.problems.detect import holdout_mask
from automl_assets.problems.target import encode_target
from resources.fit_runner import FitRunner
from resources.steps import Steps, inputs_of, neat, step_asset
from resources.table_store import TableStore

MOST_IMPORTANCES = 20


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, EVALUATION, kinds={"scikitlearn", "matplotlib"}, ins=inputs_of(config, *EVALUATION.inputs))
    def evaluation(
        context: dg.AssetExecutionContext,
        steps: Steps,
        fits: FitRunner,
        clean_table: CleanTable,
        tuning_study: Study,
        trained_model: TrainedModel,
    ) -> dg.MaterializeResult[Evaluation]:
        """The model, a linear and a dummy baseline on the same holdout rows, with bootstrap intervals."""
        return steps.run(
            context,
            config,
            EVALUATION,
            {"clean_table": clean_table, "tuning_study": tuning_study, "trained_model": trained_model},
            lambda: _judge(config, steps, fits, clean_table, tuning_study, trained_model),
            lambda found: _describe(found, steps.store),
        )

    return [evaluation]


def _judge(
    config: PipelineConfig, steps: Steps, fits: FitRunner, clean: CleanTable, study: Study, model: TrainedModel
) -> Evaluation:
    store, problem = steps.store, clean.problem
    found, _ = evaluate(
        store.models_root / model.path,
        store.study_folder(study.key),
        holdout_rows(store, clean, [c for c in config.columns.sensitive if c not in config.columns.private]),
        fits.runner(),
        kind=problem.kind,
        metric_name=problem.metric,
        roles=roles_after(clean.plan, problem.feature_roles()),
        classes=problem.classes,
        seed=config.seed,
        memory_mb=steps.memory.fit_mb(),
    )
    folder = store.report_path(config.name, f"figures-{model.digest[:12]}")
    figures = draw_figures(found, problem.classes, folder)
    return found.model_copy(update={"figures": tuple(str(path.relative_to(store.root)) for path in figures)})


def holdout_rows(store: TableStore, clean: CleanTable, sensitive: list[str]) -> HoldoutRows:
    """The rows that judge, cleaned by the plan."""
    problem = clean.problem
    dataset = store.open([batch.table for batch in clean.window.batches])
    raw = read(dataset, None, holdout_mask(dataset, problem))
    y, _ = encode_target(raw.column(problem.target), problem.classes)
    weight_name = problem.column_with("weight")
    cleaned = apply_plan(clean.plan, raw)
    return HoldoutRows(
        clean=cleaned.select([name for name in problem.features() if name in cleaned.column_names]),
        y=y,
        weight=numbers_of(raw.column(weight_name)) if weight_name else None,
        sensitive={name: raw.column(name) for name in sensitive if name in raw.column_names},
    )


def _describe(found: Evaluation, store: TableStore) -> dict[str, Any]:
    importances = {name: neat(value) for name, value in list(found.importances.items())[:MOST_IMPORTANCES]}
    slices = [f"| {s.column} | {s.group} | {s.rows:,} | {s.score} |" for s in found.slices]
    return {
        "scores": dg.MetadataValue.md(_scores(found)),
        **{Path(figure).stem: _picture(store.root / figure) for figure in found.figures},
        **({"slices": dg.MetadataValue.md("\n".join(["| column | group | rows | score |", "|-|-|-|-|", *slices]))}
           if slices else {}),
        f"holdout_{found.metric}": neat(found.holdout.value),
        f"holdout_{found.metric}_low": neat(found.holdout.low),
        f"holdout_{found.metric}_high": neat(found.holdout.high),
        f"linear_{found.metric}": neat(found.linear),
        f"dummy_{found.metric}": neat(found.dummy),
        "gain_over_linear": neat(found.gain_over_linear.value),
        "holdout_rows": found.rows,
        **{name: neat(value) for name, value in found.metrics.items()},
        **{f"importance: {name}": value for name, value in importances.items()},
    }  # fmt: skip


def _scores(found: Evaluation) -> str:
    """What one wants to know first: the model beside its baselines."""
    better = "higher is better" if found.higher_is_better else "lower is better"
    score, gain = found.holdout, found.gain_over_linear
    return f"""| {found.rows:,} holdout rows | {found.metric} ({better}) | 95% interval |
|-|-|-|
| **model** | **{score.value:.5g}** | {score.low:.5g} … {score.high:.5g} |
| linear | {found.linear:.5g} | |
| dummy | {found.dummy:.5g} | |
| gain over linear | {gain.value:+.4g} | {gain.low:+.4g} … {gain.high:+.4g} |"""


def _picture(path: Path) -> dg.MetadataValue:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.stem}](data:image/png;base64,{encoded})")
