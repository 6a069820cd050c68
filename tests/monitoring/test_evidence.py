"""Evidently's evidence, once on a small table in a child: its import takes seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scipy import stats

from automl_assets.core.values import DriftReport
from automl_assets.learn.runner import Runner
from automl_assets.monitoring.decide import judge_drift
from automl_assets.monitoring.evidence import LEAST_ROWS, MOST_ROWS, compare_tables, sample_rows

ROWS = 600
ROLES = {
    "steady": "numeric", "shifted": "numeric", "holey": "numeric", "sparse": "numeric", "colour": "categorical",
    "mix": "categorical", "only": "categorical", "secret": "categorical", "note": "text", "gone": "numeric",
}  # fmt: skip
TRUE_SECRETS = ("zebrafish", "quagga")


def a_table(seed: int, shift: float) -> pa.Table:
    generator = np.random.default_rng(seed)
    steady = np.random.default_rng(99).normal(size=ROWS)
    holes = np.where(generator.random(ROWS) < 0.3, np.nan, steady)
    return pa.table(
        {
            "steady": steady,
            "shifted": generator.normal(shift, 1, ROWS),
            "holey": pa.array(np.where(np.arange(ROWS) == 3, np.inf, holes), from_pandas=True),
            "sparse": pa.array([1.0] * (LEAST_ROWS - 1) + [None] * (ROWS - LEAST_ROWS + 1)),
            "colour": ["red"] * 300 + ["blue"] * 300,
            "mix": ["a"] * (300 + int(100 * shift)) + ["b"] * (300 - int(100 * shift)),
            "only": ["one"] * ROWS,
            "secret": list(TRUE_SECRETS) * (ROWS // 2),
            "note": [f"note {i}" for i in range(ROWS)],
        }
    )


@dataclass(frozen=True)
class Compared:
    features: dict[str, dict[str, Any]]
    report: DriftReport
    html: str
    before: pa.Table
    now: pa.Table


@pytest.fixture(scope="module")
def compared(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    folder = tmp_path_factory.mktemp("evidence")
    before, now = a_table(0, 0.0), a_table(1, 1.0)
    pq.write_table(before.append_column("gone", pa.array(np.zeros(ROWS))), folder / "before.parquet")
    pq.write_table(now, folder / "now.parquet")
    arguments = {
        "reference": [str(folder / "before.parquet")], "current": [str(folder / "now.parquet")],
        "roles": ROLES, "private": ["secret"], "html": str(folder / "page.html"),
    }  # fmt: skip
    outcome = runner.run(
        "automl_assets.monitoring.evidence:compare_tables", arguments, deadline_seconds=120, memory_mb=3000
    )
    evidence = outcome.value_or_raise("Comparing")
    return Compared(
        {feature["name"]: feature for feature in evidence["features"]},
        judge_drift(evidence),
        (folder / "page.html").read_text(),
        before,
        now,
    )


def test_only_features_on_both_sides_whose_role_has_a_test_are_compared(compared: Compared) -> None:
    assert set(compared.features) == set(ROLES) - {"note", "gone"}
    assert (compared.report.reference_rows, compared.report.current_rows) == (ROWS, ROWS)


def test_what_is_the_same_shows_no_difference(compared: Compared) -> None:
    for name in ("steady", "colour", "only", "secret"):
        feature = compared.features[name]
        assert (feature["effect"], feature["p_value"]) == (0.0, pytest.approx(1.0)), name
        assert feature["psi"] == pytest.approx(0.0, abs=1e-9), name


def test_evidentlys_p_value_is_scipys(compared: Compared) -> None:
    before, now = (np.asarray(table.column("shifted")) for table in (compared.before, compared.now))
    expected = stats.ks_2samp(before, now)

    assert compared.features["shifted"]["effect"] == pytest.approx(expected.statistic)
    assert compared.features["shifted"]["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)


def test_total_variation_and_psi_of_categories_by_hand(compared: Compared) -> None:
    """300 and 300 became 400 and 200."""
    a, b = np.array([0.5, 0.5]), np.array([2 / 3, 1 / 3])

    feature = compared.features["mix"]

    assert feature["effect"] == pytest.approx(1 / 6)
    assert feature["psi"] == pytest.approx(((b - a) * np.log(b / a)).sum())
    assert feature["p_value"] == pytest.approx(stats.chisquare([400, 200], [300, 300]).pvalue)


def test_missing_and_infinite_values_do_not_count(compared: Compared) -> None:
    sides = [np.asarray(table.column("holey").to_numpy()) for table in (compared.before, compared.now)]
    before, now = (values[np.isfinite(values)] for values in sides)

    feature = compared.features["holey"]

    assert feature["rows"] == min(len(before), len(now)) < ROWS
    assert feature["effect"] == pytest.approx(stats.ks_2samp(before, now).statistic)


def test_too_few_values_are_no_evidence(compared: Compared) -> None:
    assert compared.features["sparse"] == {
        "name": "sparse", "test": "ks", "effect": None, "p_value": None, "psi": None, "rows": LEAST_ROWS - 1,
    }  # fmt: skip


def test_the_report_finds_what_shifted_and_that_alone(compared: Compared) -> None:
    assert compared.report.status == "drift"
    assert {feature.name for feature in compared.report.features if feature.drifted} == {"shifted", "mix"}
    assert compared.report.share_drifted == pytest.approx(2 / 7, abs=1e-4)


def test_the_page_shows_the_features_and_no_private_value(compared: Compared) -> None:
    assert "shifted" in compared.html
    assert "colour" in compared.html
    assert not [value for value in TRUE_SECRETS if value in compared.html]


def test_a_table_of_too_few_rows_is_answered_without_evidently(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.arange(LEAST_ROWS - 1.0)}), tmp_path / "few.parquet")
    few = [str(tmp_path / "few.parquet")]

    found = compare_tables(few, few, roles={"x": "numeric"}, private=[], html=str(tmp_path / "page.html"))

    assert judge_drift(found).status == "insufficient_data"
    assert not (tmp_path / "page.html").exists()


def test_a_large_table_is_sampled_evenly() -> None:
    rows = 3 * MOST_ROWS + 1
    dataset = ds.dataset(pa.table({"x": np.arange(rows)}))

    found = np.asarray(sample_rows(dataset, ["x"], seed=0).column("x"))

    assert len(found) == MOST_ROWS
    assert (np.diff(found) > 0).all()
    assert np.diff(found).max() <= 7
    assert not np.array_equal(found, np.asarray(sample_rows(dataset, ["x"], seed=1).column("x")))


def test_a_small_table_is_taken_whole() -> None:
    dataset = ds.dataset(pa.table({"x": np.arange(MOST_ROWS), "y": np.zeros(MOST_ROWS)}))

    found = sample_rows(dataset, ["x"], seed=0)

    assert (found.num_rows, found.column_names) == (MOST_ROWS, ["x"])
