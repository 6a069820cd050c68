"""From a table and a target to a problem: kind, metric, roles, holdout, leaks and checks."""

from typing import TYPE_CHECKING

from automl_assets.core.errors import SchemaError, bounded, did_you_mean
from automl_assets.core.tables import read
from automl_assets.core.values import CheckOutcome, Finding, HoldoutRule, Leak, Problem
from automl_assets.learn.score import metric_named
from automl_assets.learn.split import in_holdout
from automl_assets.problems.config import ColumnsConfig, ProblemConfig
from automl_assets.problems.costs import cost_matrix, weights_of_classes
from automl_assets.problems.holdout import draw_holdout
from automl_assets.problems.leaks import duplicates_across, find_leaks
from automl_assets.problems.roles import assign_roles, id_columns
from automl_assets.problems.target import choose_kind, encode_target, order_classes, target_facts
from automl_assets.problems.types import TargetFacts

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.dataset as ds

LEAST_TRAIN_ROWS = 20
LEAST_HOLDOUT_ROWS = 5


def detect_problem(
    dataset: "ds.Dataset",
    *,
    name: str,
    target: str,
    columns: ColumnsConfig,
    config: ProblemConfig,
    kept_rule: HoldoutRule | None = None,
) -> Problem:
    """Understand the problem.

    Args:
        name: the pipeline's, which salts the holdout.
        kept_rule: the rule drawn for an earlier window with the same settings; it is kept, but for a time's cut-off.

    Raises:
        SchemaError: the table lacks a column that the configuration names.
        TargetError: nothing can be learnt from the target, or costs or weights don't fit its classes.
        UnknownNameError: there is no such kind, or no such metric for it.
    """
    require_columns(tuple(dataset.schema.names), {target: "target", **columns.named()}, where=name)
    facts = target_facts(dataset, target)
    kind_name, kind, usable_facts, rare = choose_kind(facts, config)
    metric = metric_named(kind.default_metric if config.metric == "auto" else config.metric, kind_name)
    classes = order_classes(
        kind.classes(usable_facts), config.positive_label if kind_name == "binary" else None, target
    )
    costs = cost_matrix(config.costs, classes, where=target)
    y, usable = encode_target(read(dataset, [target]).column(0), classes)
    ids = id_columns(dataset, target=target, columns=columns)
    rule = kept_rule
    if rule is None or rule.kind == "time":
        rule = draw_holdout(
            dataset,
            target=target,
            usable=usable,
            kind=kind,
            columns=columns,
            ids=ids,
            share=config.holdout_share,
            salt=name,
        )
    held = in_holdout(dataset, rule) & usable
    train = ~held & usable
    roles, reasons = assign_roles(dataset, target=target, columns=columns, ids=ids, train=train)
    leaks = find_leaks(
        dataset,
        roles=roles,
        target=target,
        y=y[train],
        classes=len(classes),
        train=train,
        vouched=frozenset(columns.roles),
    )
    features = tuple(column for column, role in roles.items() if role in ("numeric", "categorical", "datetime", "text"))
    repeated = duplicates_across(dataset, columns=features, holdout=held, rule=rule)
    leaks += [repeated] if repeated else []
    return Problem(
        kind=kind_name,
        metric=metric.name,
        target=target,
        classes=classes,
        positive_label=classes[-1] if kind_name == "binary" else None,
        roles=roles,
        role_reasons=reasons,
        holdout=rule,
        train_rows=int(train.sum()),
        holdout_rows=int(held.sum()),
        dropped_classes=rare,
        costs=costs,
        class_weights=weights_of_classes(config.class_weights, y[train], classes, where=target),
        leaks=tuple(leaks),
        findings=tuple(_findings(facts, rare)),
        checks=tuple(_checks(int(train.sum()), int(held.sum()), features, leaks)),
    )


def require_columns(columns: tuple[str, ...], wanted: dict[str, str], *, where: str) -> None:
    """Check that every column that the configuration names is there.

    Args:
        wanted: each column's name and the YAML key that names it.

    Raises:
        SchemaError: one is not; the nearest name is suggested.
    """
    for name, key in wanted.items():
        if name not in columns:
            near = did_you_mean(name, columns)
            hint = f"Did you mean {near!r}? " if near else ""
            raise SchemaError(
                f"{key} names the column {name!r}, which the table does not have.",
                where=where,
                remedy=f"{hint}Columns: {bounded(columns)}.",
            )


def training_mask(dataset: "ds.Dataset", problem: Problem) -> "np.ndarray":
    """Which rows of a window teach: those with a usable target that the rule does not hold out."""
    _, usable = encode_target(read(dataset, [problem.target]).column(0), problem.classes)
    return usable & ~in_holdout(dataset, problem.holdout)


def holdout_mask(dataset: "ds.Dataset", problem: Problem) -> "np.ndarray":
    """Which rows judge."""
    _, usable = encode_target(read(dataset, [problem.target]).column(0), problem.classes)
    return usable & in_holdout(dataset, problem.holdout)


def _findings(facts: TargetFacts, rare: tuple[str, ...]) -> list[Finding]:
    found: list[Finding] = []
    if facts.missing:
        advice = "Rows without a target teach nothing and are left out of training and holdout."
        found.append(
            Finding(code="missing_target", severity="warning", column=facts.name, count=facts.missing, advice=advice)
        )
    if rare:
        found.append(
            Finding(
                code="rare_classes",
                severity="warning",
                column=facts.name,
                count=len(rare),
                examples=rare[:5],
                advice="Classes with a single row can't be learnt and judged; their rows are left out.",
            )
        )
    return found


def _checks(train_rows: int, holdout_rows: int, features: tuple[str, ...], leaks: list[Leak]) -> list[CheckOutcome]:
    certain = [leak for leak in leaks if leak.certain]
    suspects = [leak for leak in leaks if not leak.certain]
    return [
        CheckOutcome(
            name="enough_rows_to_judge",
            passed=train_rows >= LEAST_TRAIN_ROWS and holdout_rows >= LEAST_HOLDOUT_ROWS,
            blocking=True,
            description=f"{train_rows:,} rows teach and {holdout_rows:,} judge; "
            f"at least {LEAST_TRAIN_ROWS} and {LEAST_HOLDOUT_ROWS} are needed.",
        ),
        CheckOutcome(
            name="has_features",
            passed=bool(features),
            blocking=True,
            description=f"{len(features)} columns can be learnt from."
            + ("" if features else " State columns.roles for those that should count."),
        ),
        CheckOutcome(
            name="no_certain_leak",
            passed=not certain,
            blocking=True,
            description=_leak_sentence(certain)
            + (" Exclude what gives it away (columns.exclude), or vouch for it (columns.roles)." if certain else ""),
        ),
        CheckOutcome(
            name="no_suspected_leak", passed=not suspects, blocking=False, description=_leak_sentence(suspects)
        ),
    ]


def _leak_sentence(leaks: list[Leak]) -> str:
    if not leaks:
        return "No column gives the target away."
    return "; ".join(f"{leak.column or 'The split'}: {leak.reason}" for leak in leaks[:5]) + "."
