"""What a child process does: compare two tables feature by feature with Evidently, and write its HTML page."""

import os
from typing import TYPE_CHECKING, Any

from automl_assets.core.tables import open_files, read
from automl_assets.learn.split import label_texts, numbers_of
from automl_assets.monitoring.drift import DriftTest, registry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_ROWS = 50_000
LEAST_ROWS = 50


def compare_tables(
    reference: list[str],
    current: list[str],
    *,
    roles: dict[str, str],
    private: list[str],
    html: str | None,
    seed: int = 0,
) -> dict[str, Any]:
    """The evidence for each feature, on samples of at most 50,000 rows a side.

    Args:
        reference: Parquet files of the training rows, clean.
        current: Parquet files of the batch, clean.
        roles: the features and their roles; those whose role has no test are left out.
        private: features whose values must not stand in the HTML page.
        html: where Evidently's page goes, None for no page.

    Returns:
        ``{"features": [{name, test, effect, p_value, psi, rows}], "reference_rows": n, "current_rows": n}``;
        a feature with too few values on a side has no effect and no p-value.
    """
    before = open_files(reference)
    now = open_files(current)
    tests = {n: t for n in roles if n in before.schema.names and n in now.schema.names and (t := test_for(roles[n]))}
    a, b = sample_rows(before, list(tests), seed), sample_rows(now, list(tests), seed + 1)
    features = [_feature(name, test, a, b) for name, test in tests.items()]
    enough = [feature["name"] for feature in features if feature["effect"] is not None]
    if enough:
        measured = _evidently({n: tests[n] for n in enough}, a, b, set(private), html)
        features = [{**feature, **measured.get(feature["name"], {})} for feature in features]
    return {"features": features, "reference_rows": before.count_rows(), "current_rows": now.count_rows()}


def test_for(role: str) -> tuple[str, type[DriftTest]] | None:
    """The test that compares columns of a role, by name, or None."""
    return next(((name, test) for name, test in registry.all().items() if role in test.roles), None)


def sample_rows(dataset: "ds.Dataset", columns: list[str], seed: int) -> "pa.Table":
    """At most 50,000 rows: one at random from each of as many equal stretches, so that every part is represented."""
    import numpy as np

    rows = dataset.count_rows()
    if rows <= MOST_ROWS:
        return read(dataset, columns)
    edges = np.linspace(0, rows, MOST_ROWS + 1).astype(np.int64)
    offsets = np.random.default_rng(seed).random(MOST_ROWS)
    mask = np.zeros(rows, dtype=bool)
    mask[edges[:-1] + (offsets * np.diff(edges)).astype(np.int64)] = True
    return read(dataset, columns, mask)


def _feature(name: str, test: tuple[str, type[DriftTest]], a: "pa.Table", b: "pa.Table") -> dict[str, Any]:
    before, now = (_known(table.column(name)) for table in (a, b))
    rows = min(len(before), len(now))
    effect = test[1].effect(before, now) if rows >= LEAST_ROWS else None
    return {"name": name, "test": test[0], "effect": effect, "p_value": None, "psi": None, "rows": rows}


def _known(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """The values that are neither missing nor infinite."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    column = column.drop_null()
    return column.filter(pc.is_finite(column)) if t.is_floating(column.type) else column


def _evidently(
    tests: dict[str, tuple[str, type[DriftTest]]], a: "pa.Table", b: "pa.Table", private: set[str], html: str | None
) -> dict[str, dict[str, float]]:
    """Evidently's PSI and p-value by feature; the page shows all features but the private ones.

    Where both sides hold one and the same category the chi-squared test has nothing to tell apart; its p-value is 1.
    """
    os.environ["DO_NOT_TRACK"] = "1"
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    numeric = [name for name, (_, test) in tests.items() if test.roles == ("numeric",)]
    definition = DataDefinition(
        numerical_columns=numeric, categorical_columns=[name for name in tests if name not in numeric]
    )
    before, now = (
        Dataset.from_pandas(_frame(table, tests, set(numeric)), data_definition=definition) for table in (a, b)
    )

    def report(names: list[str]) -> Any:
        metrics = [
            ValueDrift(column=name, method=method)
            for name in names
            for method in ("psi", tests[name][1].evidently_method)
        ]
        return Report(metrics).run(current_data=now, reference_data=before)

    shown = [name for name in tests if name not in private]
    public = report(shown) if shown else None
    if public is not None and html is not None:
        public.save_html(html)
    snapshots = [public, report(sorted(private & set(tests))) if private & set(tests) else None]
    measured: dict[str, dict[str, float]] = {}
    for snapshot in snapshots:
        for metric in snapshot.dict()["metrics"] if snapshot is not None else []:
            config = metric["config"]
            key = "psi" if config["method"] == "psi" else "p_value"
            value = float(metric["value"])
            measured.setdefault(config["column"], {})[key] = 1.0 if key == "p_value" and value != value else value
    return measured


def _frame(table: "pa.Table", names: "dict[str, Any]", numeric: set[str]) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    def values(name: str) -> "np.ndarray":
        if name not in numeric:
            return label_texts(table.column(name))
        numbers = numbers_of(table.column(name))
        return np.where(np.isfinite(numbers), numbers, np.nan)

    return pd.DataFrame({name: values(name) for name in names})
