"""problem."""

from typing import Any

import dagster as dg

from automl_assets.core.fingerprint import digest_of
from automl_assets.core.steps import CheckSpec
from automl_assets.core.values import HoldoutRule, Problem, TrainingWindow
from automl_assets.pipeline import PipelineConfig
from automl_assets.problems.detect import detect_problem
from automl_assets.problems.steps import PROBLEM
from resources.steps import Steps, findings_table, inputs_of, step_asset
from resources.table_store import TableStore

CHECKS = (
    CheckSpec("enough_rows_to_judge", True, "At least 20 rows teach and 5 judge."),
    CheckSpec("has_features", True, "At least one column can be learnt from."),
    CheckSpec("no_certain_leak", True, "No column predicts the target so perfectly that it must be made from it."),
    CheckSpec("no_suspected_leak", False, "No column, and no split, predicts the target suspiciously well."),
)


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, PROBLEM, kinds={"arrow"}, checks=CHECKS, ins=inputs_of(config, "training_window"))
    def problem(context: dg.AssetExecutionContext, steps: Steps, training_window: TrainingWindow):
        """What is predicted from what, by which metric, judged on which rows; and columns that give it away."""
        return steps.run(
            context,
            config,
            PROBLEM,
            {"training_window": training_window},
            lambda: understand(config, training_window, steps.store),
            _describe,
            checks=lambda found: found.checks,
        )

    return [problem]


def understand(config: PipelineConfig, window: TrainingWindow, store: TableStore) -> Problem:
    """The problem; the holdout rule that an earlier window drew with the same settings is kept."""
    kept_name = f"holdout-{digest_of(_of_holdout(config))}"
    kept = store.kept(config.name, kept_name)
    assert kept is None or isinstance(kept, HoldoutRule)
    problem = detect_problem(
        store.open([batch.table for batch in window.batches]),
        name=config.name,
        target=config.target,
        columns=config.columns,
        config=config.problem,
        kept_rule=kept,
    )
    if kept is None:
        store.keep(config.name, kept_name, problem.holdout)
    return problem


def _of_holdout(config: PipelineConfig) -> dict[str, Any]:
    """The settings that decide which rows are held out, as they were written before there were costs and weights."""
    found = {"target": config.target, **config.section("columns", "problem")}
    found["problem"] = {**found["problem"], "costs": None}
    del found["problem"]["class_weights"]
    return found


def _describe(problem: Problem) -> dict[str, Any]:
    roles = [
        f"| {name} | {role} | {problem.role_reasons.get(name, '')} |"
        for name, role in list(problem.roles.items())[:200]
    ]
    leaks = [f"| {leak.column or 'rows'} | {leak.score:.4f} | {leak.reason} |" for leak in problem.leaks]
    return {
        "kind": problem.kind,
        "metric": problem.metric,
        "classes": len(problem.classes),
        "train_rows": problem.train_rows,
        "holdout_rows": problem.holdout_rows,
        "holdout_rule": problem.holdout.kind,
        "features": len(problem.features()),
        "roles": dg.MetadataValue.md("\n".join(["| column | role | why |", "|-|-|-|", *roles])),
        **({"positive_label": problem.positive_label} if problem.positive_label else {}),
        **({"costs": dg.MetadataValue.md(_cost_table(problem))} if problem.costs else {}),
        **(
            {"class_weights": dict(zip(problem.classes, problem.class_weights, strict=True))}
            if problem.class_weights
            else {}
        ),
        **({"leaks": dg.MetadataValue.md("\n".join(["| column | probe | why |", "|-|-|-|", *leaks]))} if leaks else {}),
        **({"findings": findings_table(problem.findings)} if problem.findings else {}),
    }


def _cost_table(problem: Problem) -> str:
    """The costs, true classes down and predicted ones across, of the first twelve classes."""
    classes = problem.classes[:12]
    rows = [f"| {label} | " + " | ".join(f"{cost:g}" for cost in row[:12]) + " |"
            for label, row in zip(classes, problem.costs, strict=False)]  # fmt: skip
    return "\n".join([f"| true \\ predicted | {' | '.join(classes)} |", "|-" * (len(classes) + 1) + "|", *rows])
