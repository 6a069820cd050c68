"""Every row of a batch counted on the reference's sketches, in constant memory, and compared by every drift test."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.core.sketches import Sketch
from automl_assets.core.tables import iterate
from automl_assets.evaluation.reference import Reference
from automl_assets.monitoring.drift import DriftTest, tests_for

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

CHANCE = 1e-4


def count_rows(reference: Reference, current: "ds.Dataset", names: Sequence[str]) -> dict[str, Sketch]:
    """The sketches of a batch's columns; the reference knows all of them."""
    found = {name: reference.sketches[name].empty() for name in names}
    for batch in iterate(current, list(names)):
        for name in names:
            found[name] = found[name].merge(reference.count(name, batch.column(name)))
    return found


def measure(reference: Reference, current: Mapping[str, Sketch]) -> list[dict[str, Any]]:
    """One row of evidence for each feature and test that decides; what only describes stands in the statistics."""
    return [row for name, sketch in current.items() for row in _measure_feature(reference, name, sketch)]


def measure_column(reference: Reference, name: str, column: "pa.Array") -> list[dict[str, Any]]:
    """The evidence about one column alone, such as the target once its labels are there."""
    return _measure_feature(reference, name, reference.count(name, column))


def _measure_feature(reference: Reference, name: str, current: Sketch) -> list[dict[str, Any]]:
    tests = tests_for(reference.roles[name])
    ordered = sorted(tests.items(), key=_by_aspect)
    rows = [_row(reference, name, label, test, current) for label, test in ordered if test.decides]
    described = next((row for row in rows if row["aspect"] == "distribution" and row["effect"] is not None), None)
    if described is not None:
        for label, test in tests.items():
            if not test.decides:
                _describe(described, label, test, reference.sketches[name], current)
    return rows


def _by_aspect(item: tuple[str, type[DriftTest]]) -> tuple[bool, str]:
    return item[1].aspect != "distribution", item[0]


def _row(reference: Reference, name: str, label: str, test: type[DriftTest], current: Sketch) -> dict[str, Any]:
    found = test.answer(reference.sketches[name], current)
    matters = found.effect is not None and found.effect >= test.least_effect
    return {
        "name": name,
        "test": label,
        "aspect": test.aspect,
        "effect": found.effect,
        "p_value": None if found.effect is None else found.p_value,
        "psi": None,
        "rows": min(test.compared(reference.sketches[name]), test.compared(current)),
        "reason": found.reason,
        "allowance": allowance(reference, name, test, current.rows) if matters else 0.0,
        "statistics": dict(found.details),
    }


def _describe(row: dict[str, Any], label: str, test: type[DriftTest], reference: Sketch, current: Sketch) -> None:
    found = test.answer(reference, current)
    if found.effect is None:
        return
    row["statistics"][label] = found.effect
    row["statistics"] |= {f"{label}_{key}": value for key, value in found.details.items()}
    if found.p_value is not None:
        row["statistics"][f"{label}_p"] = found.p_value
    if label == "psi":
        row["psi"] = found.effect


def allowance(reference: Reference, name: str, test: type[DriftTest], rows: int) -> float:
    """The largest effect of as many consecutive rows of the reference against its others.

    Windows that differ no more than one in ten thousand would by chance count as not differing: else sampling noise
    would pass for nature, and the more so the smaller the batches.
    """
    answers = [test.answer(rest, part) for rest, part in reference.against_itself(name, rows)]
    return max((a.effect for a in answers if a.effect is not None and (a.p_value or 0.0) <= CHANCE), default=0.0)
