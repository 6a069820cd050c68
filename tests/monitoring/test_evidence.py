"""Both engines' evidence; Evidently's once on a small table in a child: its import takes seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scipy import stats

from automl_assets.core.evidence import DriftReport
from automl_assets.evaluation.reference import build_reference, reference_of
from automl_assets.learn.runner import Runner
from automl_assets.monitoring.evidence import MOST_ROWS, compare_tables, compare_with_reference, sample_rows
from automl_assets.monitoring.judge import judge_drift
from automl_assets.monitoring.own_engine import measure_column

ROWS = 600
LEAST_ROWS = 50
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
            "note": [f"note {i % 9}" for i in range(ROWS)],
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
        {row["name"]: row for row in evidence["features"] if row["aspect"] == "distribution"},
        judge_drift(evidence),
        (folder / "page.html").read_text(),
        before,
        now,
    )


def test_only_features_on_both_sides_whose_role_has_a_test_are_compared(compared: Compared) -> None:
    assert set(compared.features) == set(ROLES) - {"note", "gone"}
    assert (compared.report.reference_rows, compared.report.current_rows) == (ROWS, ROWS)
    assert compared.report.engine == "evidently"


def test_what_is_the_same_shows_no_difference(compared: Compared) -> None:
    for name in ("steady", "colour", "only", "secret"):
        feature = compared.features[name]
        assert (feature["effect"], feature["p_value"]) == (0.0, pytest.approx(1.0)), name
        assert feature["psi"] == pytest.approx(0.0, abs=1e-9), name


def test_evidentlys_p_value_is_scipys(compared: Compared) -> None:
    before, now = (np.asarray(table.column("shifted")) for table in (compared.before, compared.now))
    expected = stats.ks_2samp(before, now)

    assert compared.features["shifted"]["effect"] == pytest.approx(expected.statistic, abs=1 / ROWS)
    assert compared.features["shifted"]["p_value"] == pytest.approx(expected.pvalue, rel=1e-6)


def test_wasserstein_is_evidentlys(compared: Compared) -> None:
    before, now = (np.asarray(table.column("shifted")) for table in (compared.before, compared.now))

    expected = stats.wasserstein_distance(before, now) / before.std()

    assert compared.features["shifted"]["statistics"]["wasserstein"] == pytest.approx(expected)


def test_statistics_of_categories_by_hand(compared: Compared) -> None:
    """300 and 300 became 400 and 200."""
    a, b = np.array([0.5, 0.5]), np.array([2 / 3, 1 / 3])

    feature = compared.features["mix"]

    assert feature["statistics"]["raw"] == pytest.approx(1 / 6)
    assert feature["statistics"]["psi_raw"] == pytest.approx(((b - a) * np.log(b / a)).sum())
    assert feature["psi"] == pytest.approx(((b - a) * np.log(b / a)).sum() - 2 / ROWS)
    assert feature["statistics"]["chi_squared_p"] == pytest.approx(stats.chisquare([400, 200], [300, 300]).pvalue)
    expected = stats.chi2_contingency([[300, 300], [400, 200]], correction=False).pvalue
    assert feature["p_value"] == pytest.approx(expected)


def test_missing_and_infinite_values_do_not_count(compared: Compared) -> None:
    sides = [np.asarray(table.column("holey").to_numpy()) for table in (compared.before, compared.now)]
    before, now = (values[np.isfinite(values)] for values in sides)

    feature = compared.features["holey"]

    assert feature["rows"] == min(len(before), len(now)) < ROWS
    assert feature["effect"] == pytest.approx(stats.ks_2samp(before, now).statistic, abs=2 / ROWS)
    assert feature["p_value"] == pytest.approx(stats.ks_2samp(before, now).pvalue, rel=1e-6)


def test_too_few_values_are_no_evidence(compared: Compared) -> None:
    feature = compared.features["sparse"]

    assert (feature["effect"], feature["p_value"], feature["rows"]) == (None, None, LEAST_ROWS - 1)
    assert feature["reason"] == f"insufficient data: {LEAST_ROWS - 1} values on one side"


def test_the_report_finds_what_shifted_and_that_alone(compared: Compared) -> None:
    assert compared.report.status == "drift"
    assert {feature.name for feature in compared.report.features if feature.drifted} == {"shifted", "mix"}
    assert {cause.feature for cause in compared.report.causes} == {"shifted", "mix"}


def test_the_page_shows_the_features_and_no_private_value(compared: Compared) -> None:
    assert "shifted" in compared.html
    assert "colour" in compared.html
    assert not [value for value in TRUE_SECRETS if value in compared.html]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stored reference, and batches beside it."""
    for name, seed, shift in (("before", 0, 0.0), ("same", 2, 0.0), ("now", 1, 1.0)):
        pq.write_table(a_table(seed, shift), tmp_path / f"{name}.parquet")
    build_reference(ds.dataset(str(tmp_path / "before.parquet")), ROLES, tmp_path / "reference", private=["secret"])
    return tmp_path


def own(folder: Path, batch: str = "now", **more: Any) -> dict[str, Any]:
    return compare_with_reference(str(folder / "reference"), [str(folder / f"{batch}.parquet")], engine="own", **more)


def test_the_own_engine_finds_the_same(folder: Path, compared: Compared) -> None:
    evidence = own(folder)

    report = judge_drift(evidence)
    assert (report.engine, evidence["missing"]) == ("own", [])
    assert {f.name for f in report.features if f.drifted} == {"shifted", "mix"}
    theirs, ours = compared.features, {r["name"]: r for r in evidence["features"] if r["aspect"] == "distribution"}
    for name in ("shifted", "mix", "holey"):
        assert ours[name]["effect"] == theirs[name]["effect"]
        for key in ("psi_raw", "jensen_shannon"):
            found, expected = ours[name]["statistics"][key], theirs[name]["statistics"][key]
            assert found == pytest.approx(expected, rel=0.05, abs=0.01), (name, key)


def test_the_classifier_runs_when_enough_of_the_importance_drifted(folder: Path) -> None:
    weighty = own(folder, importances={"shifted": 0.5, "steady": 0.5})
    light = own(folder, importances={"shifted": 0.2, "steady": 0.8})

    assert weighty["domain"]["low"] > 0.55
    assert light["domain"] is None
    assert judge_drift(weighty).importance_drifted == 0.5


def test_pictures_are_drawn_when_something_drifted(folder: Path) -> None:
    drifted = own(folder, figure=str(folder / "causes.png"))
    steady = own(folder, "same", figure=str(folder / "nothing.png"), html=str(folder / "nothing.html"))

    assert drifted["figure"]
    assert (folder / "causes.png").stat().st_size < 50 * 1024
    assert judge_drift(steady).status == "none"
    assert (steady["figure"], steady["html"]) == (False, False)
    assert not list(folder.glob("nothing.*"))


def test_a_batch_of_another_schema_says_so(folder: Path) -> None:
    table = a_table(1, 0.0).drop_columns(["steady"])
    table = table.set_column(table.column_names.index("shifted"), "shifted", pa.array(["high"] * ROWS))
    table = table.set_column(table.column_names.index("holey"), "holey", pa.nulls(ROWS))
    pq.write_table(table, folder / "other.parquet")

    report = judge_drift(own(folder, "other"))

    assert report.status == "schema_changed"
    assert report.schema_breaks == ("steady: the column is missing", "shifted: text where numbers were")
    assert report.missing_jumps == ("holey: missing in 100% of the rows, 26% before",)


@pytest.mark.parametrize("rows", [0, 1, LEAST_ROWS - 1])
def test_a_table_of_too_few_rows_is_answered_without_evidently(rows: int, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": np.arange(float(rows))}), tmp_path / "few.parquet")
    few = [str(tmp_path / "few.parquet")]

    found = compare_tables(few, few, roles={"x": "numeric"}, private=[], html=str(tmp_path / "page.html"))

    assert judge_drift(found).status == "insufficient_data"
    assert not (tmp_path / "page.html").exists()


def test_a_seasonal_feature_may_be_what_it_was_in_some_season(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    season = np.sin(2 * np.pi * np.arange(12_000) / 3_000)
    pq.write_table(pa.table({"x": season + generator.normal(size=12_000)}), tmp_path / "years.parquet")
    build_reference(ds.dataset(str(tmp_path / "years.parquet")), {"x": "numeric"}, tmp_path / "reference")
    for name, centre in (("summer", 0.9), ("eruption", 3.0)):
        pq.write_table(pa.table({"x": generator.normal(centre, 1, 600)}), tmp_path / f"{name}.parquet")

    summer, eruption = (judge_drift(own(tmp_path, name)) for name in ("summer", "eruption"))

    assert summer.features[0].reason.startswith("natural: parts of the reference differ by 0.")
    assert summer.status == "none"
    assert eruption.status == "drift"


def test_a_target_is_compared_alone() -> None:
    """Forty per cent became sixty."""
    labels = ["yes"] * 400 + ["no"] * 600
    train = ds.dataset(pa.table({"x": np.arange(1_000.0), "y": np.random.default_rng(0).permutation(labels)}))
    reference = reference_of(train, {"x": "numeric"}, target="y", classes=("no", "yes"))

    rows = measure_column(reference, "y", pa.array(["yes"] * 600 + ["no"] * 400))

    (feature,) = judge_drift({"features": rows, "reference_rows": 1_000, "current_rows": 1_000}).features
    assert (feature.name, feature.test, feature.drifted) == ("y", "tvd", True)
    assert feature.statistics["raw"] == pytest.approx(0.2)
    assert reference.features == ("x",)


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
