"""evaluation."""

import base64
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.cleaning.apply import apply_plan, roles_after
from automl_assets.core.files import atomic_folder
from automl_assets.core.fingerprint import digest_of
from automl_assets.core.tables import read
from automl_assets.core.values import CleanTable, Evaluation, Money, Study, TrainedModel
from automl_assets.evaluation.expectations import FILE as EXPECTATIONS_FILE
from automl_assets.evaluation.expectations import build_expectations, save_expectations
from automl_assets.evaluation.figures import draw_figures
from automl_assets.evaluation.money import money_rows
from automl_assets.evaluation.reference import build_reference
from automl_assets.evaluation.report import HoldoutRows, Judged, evaluate
from automl_assets.evaluation.steps import EVALUATION
from automl_assets.learn.split import numbers_of
from automl_assets.pipeline import PipelineConfig
from automl_assets.problems.detect import holdout_mask
from automl_assets.problems.target import encode_target
from automl_assets.training.losses import expected_losses
from automl_assets.training.model import ModelCard
from automl_assets.tuning.trial_store import TrialStore
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
    holdout = holdout_rows(store, clean, [c for c in config.columns.sensitive if c not in config.columns.private])
    found, judged = evaluate(
        store.models_root / model.path,
        store.study_folder(study.key),
        holdout,
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
    made_by = digest_of([model.digest, EVALUATION.code_version, config.section("columns"), config.seed])
    remembered = store.report_path(config.name, f"remembered-{made_by[:12]}")
    if not remembered.is_dir():
        _remember(remembered, config, steps, fits, clean, study, model, holdout, judged)
    return found.model_copy(
        update={
            "figures": tuple(str(path.relative_to(store.root)) for path in figures),
            "remembered": str(remembered.relative_to(store.root)),
        }
    )


def _remember(
    folder: Path,
    config: PipelineConfig,
    steps: Steps,
    fits: FitRunner,
    clean: CleanTable,
    study: Study,
    model: TrainedModel,
    holdout: HoldoutRows,
    judged: Judged,
) -> None:
    """Write what later batches are compared with: the training rows in sketches, and what the model does on holdout."""
    store, problem = steps.store, clean.problem
    trials = TrialStore(store.study_folder(study.key))
    target, _, _ = trials.labels()
    card = ModelCard.read(store.models_root / model.path)
    blended = sum(member.weight * trials.predicted(member.name, study.folds).astype(float) for member in model.members)
    assert not isinstance(blended, int)
    with atomic_folder(folder) as partial:
        build_reference(
            store.open([clean.table]),
            roles_after(clean.plan, problem.feature_roles()),
            partial,
            private=config.columns.private,
            share=len(target) / (len(target) + len(holdout.y)),
            seed=config.seed,
        )
        losses = None
        if not problem.classes:
            losses = expected_losses(
                store.models_root / model.path, holdout.clean, judged.model, fits.runner(),
                memory_mb=steps.memory.fit_mb(),
            )  # fmt: skip
        expectations = build_expectations(
            problem.metric, holdout.y, judged.model,
            target=target, losses=losses, weight=holdout.weight, decision=card.decision,
            out_of_fold=card.calibration.apply(blended) if problem.classes else blended, seed=config.seed,
        )  # fmt: skip
        save_expectations(expectations, partial / EXPECTATIONS_FILE)


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
        **{Path(figure).stem: picture(store.root / figure) for figure in found.figures},
        **({"slices": dg.MetadataValue.md("\n".join(["| column | group | rows | score |", "|-|-|-|-|", *slices]))}
           if slices else {}),
        f"holdout_{found.metric}": neat(found.holdout.value),
        f"holdout_{found.metric}_low": neat(found.holdout.low),
        f"holdout_{found.metric}_high": neat(found.holdout.high),
        f"linear_{found.metric}": neat(found.linear),
        f"dummy_{found.metric}": neat(found.dummy),
        "gain_over_linear": neat(found.gain_over_linear.value),
        "holdout_rows": found.rows,
        **(_money(found.money) if found.money is not None else {}),
        **{name: neat(value) for name, value in found.metrics.items()},
        **{f"importance: {name}": value for name, value in importances.items()},
    }  # fmt: skip


def _money(found: Money) -> dict[str, Any]:
    """What the decisions cost and save on the holdout, by the stated costs."""
    rows = [
        f"| {what} | {a_row:.4g} | {total:,.6g} | {f'{low:,.6g} … {high:,.6g}' if low is not None else ''} |"
        for what, a_row, total, low, high in money_rows(found)
    ]
    head = ["| by `problem.costs` | a row | holdout | 95% interval |", "|-|-|-|-|"]
    return {
        "money": dg.MetadataValue.md("\n".join([*head, *rows])),
        "cost_a_row": neat(found.cost.value),
        "money_saved": neat(found.rows * found.saved_usual.value),
        "money_saved_against_constant": neat(found.rows * found.saved_constant.value),
    }


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


def picture(path: Path) -> dg.MetadataValue:
    """A small picture as the UI shows it."""
    encoded = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.stem}](data:image/png;base64,{encoded})")
