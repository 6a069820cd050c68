"""Replaying a plan: the same steps on training rows, holdout rows, and every later batch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from automl_assets.cleaning.operations import registry
from automl_assets.core.tables import column_type
from automl_assets.core.values import CleaningPlan, PlanStep

if TYPE_CHECKING:
    import pyarrow as pa


def apply_plan(plan: CleaningPlan, table: "pa.Table") -> "pa.Table":
    """The table after every step; the input is not changed.

    A step is passed over where its column is absent, or is of a type whose cells it does not repair (it is clean then:
    a plan twice is the plan once).
    """
    for step in plan.steps:
        table = _apply_step(step, table)
    return table


def _apply_step(step: PlanStep, table: "pa.Table") -> "pa.Table":
    operation = registry.get(step.operation)
    for name in step.columns:
        if name not in table.column_names:
            continue
        position = table.column_names.index(name)
        if not operation.structural and column_type(table.schema.field(position).type) not in operation.types:
            continue
        after = operation.transform(table.column(position), step.params)
        table = table.remove_column(position) if after is None else table.set_column(position, name, after)
    return table


def apply_in_batches(plan: CleaningPlan, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    """The same batch by batch: stateless operations give the same cells at any batch size."""
    import pyarrow as pa

    for batch in batches:
        yield from apply_plan(plan, pa.Table.from_batches([batch])).combine_chunks().to_batches()


def schema_after(plan: CleaningPlan, schema: "pa.Schema") -> "pa.Schema":
    """The schema of a table after the plan."""
    return apply_plan(plan, schema.empty_table()).schema


def roles_after(plan: CleaningPlan, roles: Mapping[str, str]) -> dict[str, str]:
    """The columns' roles after the plan: retyped columns get their new role, dropped ones none."""
    result = dict(roles)
    for step in plan.steps:
        operation = registry.get(step.operation)
        for name in step.columns:
            if name in result and operation.role_after is not None:
                result[name] = operation.role_after
            elif operation.structural:
                result.pop(name, None)
    return result


def dropped_columns(plan: CleaningPlan, schema: "pa.Schema") -> tuple[str, ...]:
    """The columns that the plan removes."""
    kept = set(schema_after(plan, schema).names)
    return tuple(name for name in schema.names if name not in kept)


def text_columns(schema: "pa.Schema") -> list[str]:
    """The columns that hold text."""
    return [field.name for field in schema if column_type(field.type) == "text"]
