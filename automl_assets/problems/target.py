"""What the target is like, and which kind of problem that makes it."""

from typing import TYPE_CHECKING

from automl_assets.core.errors import TargetError, bounded, did_you_mean
from automl_assets.core.tables import column_type, read
from automl_assets.learn.split import label_texts, numbers_of
from automl_assets.problems.config import ProblemConfig
from automl_assets.problems.types import ProblemType, TargetFacts, registry

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_LABELS = 1_001
LEAST_ROWS_OF_A_CLASS = 2


def target_facts(dataset: "ds.Dataset", name: str) -> TargetFacts:
    """Look at the target column.

    Raises:
        TargetError: it is all missing, constant, or holds infinities.
    """
    import numpy as np

    column = read(dataset, [name]).column(0)
    kind = column_type(column.type)
    missing = column.null_count
    infinite = fractional = 0
    if kind == "number":
        values = numbers_of(column)
        infinite = int(np.isinf(values).sum())
        known = values[np.isfinite(values)]
        missing += int(np.isnan(values).sum()) - column.null_count
        fractional = bool((known != np.floor(known)).any())
    labels = label_texts(column)
    names, counts = np.unique(labels[[label is not None for label in labels]].astype(str), return_counts=True)
    first = np.sort(np.argsort(-counts, kind="stable")[:MOST_LABELS])
    facts = TargetFacts(
        name=name,
        type=kind,
        rows=len(column),
        missing=missing,
        infinite=infinite,
        fractional=bool(fractional),
        labels=dict(zip(names[first].tolist(), counts[first].tolist(), strict=True)),
        distinct=len(names),
    )
    _refuse_hopeless(facts)
    return facts


def _refuse_hopeless(facts: TargetFacts) -> None:
    if facts.infinite:
        raise TargetError(
            f"The target has {facts.infinite} infinite values.",
            where=facts.name,
            remedy="Remove those rows, or cap them in the source.",
        )
    if facts.missing == facts.rows:
        raise TargetError("The target is missing in every row.", where=facts.name, remedy="Name another target.")
    if facts.distinct < 2:
        raise TargetError(
            "The target has the same value in every row.", where=facts.name, remedy="Name a target that varies."
        )


def without_rare_classes(facts: TargetFacts) -> tuple[TargetFacts, tuple[str, ...]]:
    """The target without the classes too rare to stand on both sides of a split, and those classes."""
    rare = tuple(label for label, count in facts.labels.items() if count < LEAST_ROWS_OF_A_CLASS)
    if not rare:
        return facts, ()
    kept = {label: count for label, count in facts.labels.items() if label not in rare}
    trimmed = TargetFacts(
        name=facts.name,
        type=facts.type,
        rows=facts.rows,
        missing=facts.missing,
        infinite=facts.infinite,
        fractional=facts.fractional,
        labels=kept,
        distinct=len(kept),
    )
    return trimmed, rare


def choose_kind(
    facts: TargetFacts, config: ProblemConfig
) -> tuple[str, type[ProblemType], TargetFacts, tuple[str, ...]]:
    """The kind's name and type, the target without classes too rare to split, and those classes.

    Raises:
        TargetError: the stated kind does not fit the target, or no kind does.
        UnknownNameError: there is no such kind.
    """
    if config.kind != "auto":
        chosen = registry.get(config.kind, where="problem.kind")
        usable, rare = without_rare_classes(facts) if chosen.strata == "class" else (facts, ())
        why_not = chosen.why_not(usable)
        if why_not:
            raise TargetError(
                f"problem.kind is {config.kind}, but {why_not}.", where=facts.name, remedy="Leave it at auto."
            )
        return config.kind, chosen, usable, rare
    reasons: list[str] = []
    for name, kind in sorted(registry.all().items(), key=lambda item: item[1].order):
        usable, rare = without_rare_classes(facts) if kind.strata == "class" else (facts, ())
        why_not = kind.why_not(usable)
        if why_not:
            reasons.append(f"not {name}: {why_not}")
        elif kind.is_natural(facts):
            return name, kind, usable, rare
    raise TargetError(
        "Nothing can be learnt from this target.", where=facts.name, remedy=f"It is {'; '.join(reasons)}."
    )


def order_classes(classes: tuple[str, ...], positive: str | None, where: str) -> tuple[str, ...]:
    """The classes with the positive one last.

    Raises:
        TargetError: the stated positive label is no class.
    """
    if positive is None:
        return classes
    if positive not in classes:
        near = did_you_mean(positive, classes)
        hint = f"Did you mean {near!r}? " if near else ""
        raise TargetError(
            f"problem.positive_label {positive!r} is no class of the target.",
            where=where,
            remedy=f"{hint}Classes: {bounded(classes)}.",
        )
    return (*(label for label in classes if label != positive), positive)


def encode_target(column: "pa.ChunkedArray", classes: tuple[str, ...]) -> "tuple[np.ndarray, np.ndarray]":
    """The target as class indices or numbers, and which rows have a usable one (a known class, a finite number)."""
    import numpy as np

    if not classes:
        values = numbers_of(column)
        return values, np.isfinite(values)
    index = {label: i for i, label in enumerate(classes)}
    labels = label_texts(column)
    codes = np.array([index.get(label, -1) if label is not None else -1 for label in labels], dtype=np.int64)
    return codes, codes >= 0
