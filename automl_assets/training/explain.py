"""Which columns moved each prediction, and which move the model as a whole.

What is explained is what the model says: the value, or a probability (of the positive class of two, of the predicted
one of several), after the ensemble's weights and the calibration. ``base + sum(contributions) == output``.

Where every member's family can tell what each feature added (`Family.contributions`), the parts are carried through the
link function, the weights and the calibration (see `explain_exact`). Any other model is asked (see `shapley`).
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from automl_assets.training.explain_exact import Parts, exact_parts, explained_outputs, two_dimensional
from automl_assets.training.model import Model
from automl_assets.training.shapley import sample_contributions

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST_BACKGROUND = 100
MOST_GLOBAL_ROWS = 200
MOST_PERMUTED_ROWS = 1_000
MOST_SHUFFLES = 5
LONGEST_TEXT = 60


class Contribution(NamedTuple):
    """By how much a column moved the output; `value` is None where it may not be shown.

    standard_error: of a sampled contribution, in the output's unit; NaN where there was one sample, 0 where none.
    """

    column: str
    value: str | None
    contribution: float
    standard_error: float = 0.0


@dataclass(frozen=True)
class RowExplanation:
    """Why the model said `output` of a row, the largest contribution first.

    row: its position in the table. label: the class whose probability is explained, None for a number. base: what the
    contributions start from: the background rows' mean output, or what the members' own bases, which are of margins and
    for boosted trees of the training rows, come to. method: "exact", where each member's own parts were added up, or
    "sampling", on `samples` background rows, with a standard error a contribution.
    """

    row: int
    label: str | None
    base: float
    output: float
    contributions: tuple[Contribution, ...]
    method: Literal["exact", "sampling"]
    samples: int
    seconds: float


class Importance(NamedTuple):
    """A column's importance, and its share of all columns' (0 for one that only costs)."""

    column: str
    importance: float
    share: float


def explain_rows(
    model: Model,
    table: "pa.Table",
    *,
    background: "pa.Table",
    rows: int = 5,
    seconds: float = 10.0,
    seed: int = 0,
    private: Collection[str] = (),
    threads: int = 1,
) -> list[RowExplanation]:
    """The explanations of the table's first rows; fewer than asked for where the time did not suffice.

    A row that the time ran out on is told as far as it was sampled, if on two background rows; its standard errors say
    how rough that is.

    Args:
        table: as it would be predicted; its values are shown, those of text and `private` columns never.
        background: clean rows to compare with (`model.clean` makes them); a hundred of them are used.
        seconds: for all rows together.
    """
    begun = time.monotonic()
    table = table.slice(0, rows)
    clean, others = _comparable(model, model.clean(table), background, seed)
    if not clean.num_rows or not clean.num_columns:
        return []
    found = exact_parts(model, clean, others, begun + seconds, threads)
    method: Literal["exact", "sampling"] = "exact"
    if found is None:
        found, method = _sampled(model, clean, others, begun + seconds, seed, threads), "sampling"
    each = (time.monotonic() - begun) / max(1, len(found))
    hidden = {*private, *(name for name, role in model.feature_roles().items() if role == "text")}
    classes = model.card.classes
    return [
        RowExplanation(
            row=i,
            label=classes[one.explained] if classes else None,
            base=one.base,
            output=one.output,
            contributions=_ordered(clean.column_names, one, table, i, hidden),
            method=method,
            samples=one.samples,
            seconds=round(each, 4),
        )
        for i, one in enumerate(found)
    ]


def explain_model(
    model: Model,
    table: "pa.Table",
    y: "np.ndarray | None" = None,
    *,
    background: "pa.Table",
    seconds: float = 30.0,
    seed: int = 0,
    threads: int = 1,
) -> tuple[Importance, ...]:
    """The columns by importance; those that the time did not suffice for are left out.

    With `y` (class indices or numbers, as `encode_target` gives them): by how much the model's metric worsens when the
    column is shuffled (Breiman 2001). Without: the mean size of the column's contributions to a row.
    """
    import numpy as np
    import pyarrow as pa

    generator = np.random.default_rng(seed)
    most = MOST_GLOBAL_ROWS if y is None else MOST_PERMUTED_ROWS
    chosen = np.sort(generator.permutation(table.num_rows)[:most])
    some = table.take(pa.array(chosen))
    if y is None:
        told = explain_rows(
            model, some, background=background, rows=len(chosen), seconds=seconds, seed=seed, threads=threads
        )
        sizes: dict[str, list[float]] = {}
        for one in (one for row in told for one in row.contributions):
            sizes.setdefault(one.column, []).append(abs(one.contribution))
        return _shared({name: sum(all_of) / len(all_of) for name, all_of in sizes.items()})
    predict = partial(model.predict_clean, threads=threads)
    return _shared(_permuted(model, predict, model.clean(some), y[chosen], time.monotonic() + seconds, generator))


def _comparable(model: Model, clean: "pa.Table", background: "pa.Table", seed: int) -> "tuple[pa.Table, pa.Table]":
    """The features of the rows, and of a hundred background rows with the same types; itself where there are none."""
    import numpy as np
    import pyarrow as pa

    names = [name for name in model.feature_roles() if name in clean.column_names]
    clean = clean.select(names)
    if not background.num_rows:
        return clean, clean
    chosen = np.sort(np.random.default_rng(seed).permutation(background.num_rows)[:MOST_BACKGROUND])
    known = set(background.column_names)
    arrays = [
        background.column(field.name).take(pa.array(chosen)).cast(field.type)
        if field.name in known
        else pa.chunked_array([pa.nulls(len(chosen), field.type)])
        for field in clean.schema
    ]
    return clean, pa.table(arrays, schema=clean.schema)


# ---- by asking the model -------------------------------------------------------------------------------------------


def _sampled(
    model: Model, clean: "pa.Table", background: "pa.Table", stop_at: float, seed: int, threads: int
) -> list[Parts]:
    def predict(table: "pa.Table") -> "np.ndarray":
        return two_dimensional(model.predict_clean(table, threads=threads))

    said = predict(clean)
    explained = explained_outputs(model, said)
    chosen = said[range(len(said)), explained]
    sampled = sample_contributions(predict, clean, background, explained, chosen, stop_at=stop_at, seed=seed)
    return [
        Parts(one.contributions, one.errors, one.base, one.output, one.samples, int(k))
        for one, k in zip(sampled, explained, strict=False)
    ]


def _permuted(
    model: Model, predict: Any, clean: "pa.Table", y: "np.ndarray", stop_at: float, generator: "np.random.Generator"
) -> dict[str, float]:
    """By how much the loss rises with each column shuffled, on average over up to five shuffles."""
    import pyarrow as pa

    from automl_assets.learn.score import metric_named

    metric, decision = metric_named(model.card.metric), model.card.decision
    base = metric.loss(metric(y, decision.seen_by(metric, predict(clean))))
    rises: dict[str, list[float]] = {}
    for turn in range(MOST_SHUFFLES * len(model.feature_roles())):
        if time.monotonic() >= stop_at and turn:
            break
        position = turn % clean.num_columns
        field = clean.schema.field(position)
        shuffled = clean.column(position).take(pa.array(generator.permutation(clean.num_rows)))
        seen = decision.seen_by(metric, predict(clean.set_column(position, field, shuffled)))
        loss = metric.loss(metric(y, seen))
        rises.setdefault(field.name, []).append(loss - base if loss == loss and base == base else 0.0)
    return {name: sum(found) / len(found) for name, found in rises.items()}


# ---- in words ------------------------------------------------------------------------------------------------------


def _ordered(
    names: list[str], told: Parts, table: "pa.Table", row: int, hidden: Collection[str]
) -> tuple[Contribution, ...]:
    """The contributions with their values, the largest first."""
    known = set(table.column_names)
    found = [
        Contribution(
            name,
            None if name in hidden else _text(table.column(name)[row].as_py() if name in known else None),
            part,
            error,
        )
        for name, part, error in zip(names, told.parts.tolist(), told.errors.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-abs(one.contribution), one.column)))


def _text(value: Any) -> str:
    """A cell as people read it."""
    if value is None or value != value:
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _shared(importances: dict[str, float]) -> tuple[Importance, ...]:
    total = sum(value for value in importances.values() if value > 0) or 1.0
    ranked = sorted(importances.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Importance(name, value, max(0.0, value) / total) for name, value in ranked)
