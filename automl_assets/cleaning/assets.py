"""cleaning_plan and clean_table."""

from typing import Any

import dagster as dg

from automl_assets.cleaning.choose import choose_planner
from automl_assets.cleaning.steps import CLEAN_TABLE, CLEANING_PLAN
from automl_assets.cleaning.training_rows import clean_rows_of, plan_of
from automl_assets.core.values import CleaningPlan, CleanTable, Problem, TrainingWindow
from automl_assets.pipeline import PipelineConfig
from resources.steps import Steps, inputs_of, step_asset, table_metadata


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""
    return [_cleaning_plan(config), _clean_table(config)]


def _cleaning_plan(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(config, CLEANING_PLAN, kinds={"arrow"}, ins=inputs_of(config, "training_window", "problem"))
    def cleaning_plan(
        context: dg.AssetExecutionContext, steps: Steps, training_window: TrainingWindow, problem: Problem
    ) -> dg.MaterializeResult[CleaningPlan]:
        """What is repaired, where, why and by whom: fitted on training rows, replayed on every later batch."""
        return steps.run(
            context,
            config,
            CLEANING_PLAN,
            {"training_window": training_window, "problem": problem},
            lambda: _plan(config, steps, training_window, problem),
            lambda plan: _describe_plan(config, plan),
        )

    return cleaning_plan


def _plan(config: PipelineConfig, steps: Steps, window: TrainingWindow, problem: Problem) -> CleaningPlan:
    dataset = steps.store.open([batch.table for batch in window.batches])
    return plan_of(dataset, problem, keep_type=config.columns.roles)


def _describe_plan(config: PipelineConfig, plan: CleaningPlan) -> dict[str, Any]:
    planner, why = choose_planner(config.cleaning)
    rows = [
        f"| {s.operation} | {', '.join(s.columns)} | {s.reason} | {s.author} | {s.changed:,} | {s.confidence:.2f} |"
        for s in plan.steps[:200]
    ]
    header = ["| what | where | why | by whom | cells | confidence |", "|-|-|-|-|-|-|"]
    return {
        "plan": dg.MetadataValue.md("\n".join([*header, *rows]) if rows else "Nothing needs repair."),
        "steps": len(plan.steps),
        "changed_cells": sum(step.changed for step in plan.steps),
        "planner": planner,
        "planner_reason": why,
    }


def _clean_table(config: PipelineConfig) -> dg.AssetsDefinition:
    @step_asset(
        config,
        CLEAN_TABLE,
        kinds={"arrow", "parquet"},
        ins=inputs_of(config, "training_window", "problem", "cleaning_plan"),
    )
    def clean_table(
        context: dg.AssetExecutionContext,
        steps: Steps,
        training_window: TrainingWindow,
        problem: Problem,
        cleaning_plan: CleaningPlan,
    ) -> dg.MaterializeResult[CleanTable]:
        """The training rows after the plan. Holdout rows are not among them."""
        return steps.run(
            context,
            config,
            CLEAN_TABLE,
            {"training_window": training_window, "problem": problem, "cleaning_plan": cleaning_plan},
            lambda: clean_rows(config.name, steps, training_window, problem, cleaning_plan),
            lambda clean: {
                **table_metadata(clean.table),
                "dropped_columns": ", ".join(clean.dropped_columns) or "none",
            },
        )

    return clean_table


def clean_rows(pipeline: str, steps: Steps, window: TrainingWindow, problem: Problem, plan: CleaningPlan) -> CleanTable:
    """Apply the plan to the training rows, in batches whose size follows the memory."""
    store = steps.store
    return clean_rows_of(
        store.open([batch.table for batch in window.batches]),
        window,
        problem,
        plan,
        root=store.tables_root,
        folder=store.table_folder(pipeline, CLEAN_TABLE.name),
        size=steps.batch_size(),
    )
