"""The local planner: every operation offered to every feature column, in order, on training rows only."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from automl_assets.cleaning.operations import About, Operation, Rejected, registry
from automl_assets.cleaning.operations.drop_duplicate import column_digest
from automl_assets.core.errors import SchemaError
from automl_assets.core.tables import column_type, read
from automl_assets.core.values import CleaningPlan, PlanStep

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds


def plan_cleaning(
    dataset: "ds.Dataset",
    roles: Mapping[str, str],
    *,
    train: "np.ndarray | None" = None,
    structural: bool = True,
    keep_type: frozenset[str] = frozenset(),
) -> CleaningPlan:
    """The steps that the training rows justify, column by column, one column in memory at a time.

    Args:
        roles: the columns to look at and their roles.
        train: which rows may be learnt from; all by default.
        structural: whether columns may be dropped or retyped.
        keep_type: columns whose role a person stated: they are retyped only to have it.

    Raises:
        SchemaError: a stated role wants numbers or dates, and the column's cells read as neither.
    """
    steps: list[PlanStep] = []
    digests: dict[str, str] = {}
    for name, role in roles.items():
        column = read(dataset, [name], train).column(0)
        about = About(name, role, digests, name not in keep_type)
        found, last = _plan_column(about, column, structural)
        if last is not None and structural and not about.may_retype:
            _require_role(about, last)
        steps += found
        if last is not None:
            digests.setdefault(column_digest(last), name)
    return CleaningPlan(steps=tuple(sorted(steps, key=lambda step: registry.get(step.operation).order)))


def _plan_column(
    about: About, column: "pa.ChunkedArray", structural: bool
) -> "tuple[list[PlanStep], pa.ChunkedArray | None]":
    """One column's steps, and what is left of it, None when it is dropped."""
    steps: list[PlanStep] = []
    for name, operation in in_order(structural):
        if column_type(column.type) not in operation.types:
            continue
        if operation.role_after not in (None, about.role) and not about.may_retype:
            continue
        answer = operation.fit(column, about)
        if isinstance(answer, Rejected):
            continue
        steps.append(
            PlanStep(
                operation=name,
                columns=(about.name,),
                params=answer.params,
                reason=answer.reason,
                confidence=round(answer.confidence, 4),
                changed=answer.changed,
            )
        )
        after = operation.transform(column, answer.params)
        if after is None:
            return steps, None
        column = after
    return steps, column


def _require_role(about: About, column: "pa.ChunkedArray") -> None:
    held = column_type(column.type)
    fits = {"numeric": ("integer", "number", "boolean", "datetime"), "datetime": ("datetime",)}
    if held in fits.get(about.role, (held,)):
        return
    operation = next((op for _, op in in_order(True) if op.role_after == about.role and held in op.types), None)
    answer = operation.fit(column, about) if operation else None
    why = f", and {answer.reason}" if isinstance(answer, Rejected) else ""
    raise SchemaError(
        f"columns.roles calls {about.name!r} {about.role}, but it holds {held}{why}.",
        where=about.name,
        remedy="State another role, or mend the cells.",
    )


def in_order(structural: bool) -> Iterable[tuple[str, type[Operation]]]:
    """The operations by their place in a plan, structural ones on request."""
    chosen = [(name, op) for name, op in registry.all().items() if structural or not op.structural]
    return sorted(chosen, key=lambda item: item[1].order)
