"""Explanations of a file's first rows: as JSON, in a file beside the predictions, one row a line."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.files import write_text
from automl_assets.core.tables import open_files
from automl_assets.training.explain import RowExplanation, explain_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from automl_assets.training.model import Model

SECONDS = 60.0
SUFFIX = ".explanations.jsonl"
DIGITS = 6


def explain_first(
    model: "Model",
    table: "pa.Table",
    training_rows: Path,
    *,
    private: Collection[str],
    seed: int,
    seconds: float = SECONDS,
) -> list[dict[str, Any]]:
    """Explanations of a table's rows, those for which the time sufficed.

    Args:
        training_rows: the clean table that the model was trained on; where it is gone, rows are compared with each
            other.
    """
    if training_rows.is_file():
        background = _sample(training_rows, list(model.feature_roles()), seed)
    else:
        background = model.clean(table)
    found = explain_rows(
        model, table, background=background, rows=table.num_rows, seconds=seconds, seed=seed, private=private
    )
    return [document_of(one) for one in found]


def _sample(path: Path, names: list[str], seed: int, most: int = 100) -> "pa.Table":
    """Some rows at random, and no more than that of the table in memory."""
    import numpy as np
    import pyarrow as pa

    dataset = open_files([path])
    known = [name for name in names if name in dataset.schema.names]
    rows = dataset.count_rows()
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:most])
    return dataset.scanner(columns=known).take(pa.array(chosen))


def document_of(found: RowExplanation) -> dict[str, Any]:
    """An explanation as a JSON-able object; `row` counts from 0, a standard error is null where it is not known."""
    return {
        "row": found.row,
        "class": found.label,
        "base": _short(found.base),
        "output": _short(found.output),
        "method": found.method,
        "samples": found.samples,
        "contributions": [
            {
                "column": one.column,
                "value": one.value,
                "contribution": _short(one.contribution),
                "standard_error": _short(one.standard_error) if one.standard_error == one.standard_error else None,
            }
            for one in found.contributions
        ],
    }


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def write_explanations(path: Path, documents: Sequence[dict[str, Any]]) -> None:
    """One JSON object a line, whole or not at all."""
    write_text(path, "".join(f"{json.dumps(document, ensure_ascii=False)}\n" for document in documents))
