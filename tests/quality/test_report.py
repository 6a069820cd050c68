"""The components by hand-made tables, what the report hides, and the checks that follow from it."""

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.values import Finding, QualityReport, RawTable, TableHandle
from automl_assets.quality.report import assess, batch_checks, quarantine_reasons, score_check
from automl_assets.quality.steps import QUALITY_REPORT
from tests.quality.tables import dataset

INF = float("inf")
RAGGED = Finding(code="ragged_rows", severity="warning", count=1)


def test_the_components_are_the_documented_formulas() -> None:
    # 8 cells, 1 missing, 7 filled: the infinity and "?" are invalid. 4 filled text cells: "Red" is inconsistent.
    report = assess(dataset(n=[1.0, INF, 2.0, None], s=["red", "Red", "red", "?"]))
    assert report.components == {
        "completeness": 87.5,  # 100 x (1 - 1/8)
        "validity": 71.43,  # 100 x (1 - 2/7)
        "consistency": 75.0,  # 100 x (1 - 1/4)
        "uniqueness": 100.0,
    }
    assert report.score == pytest.approx((87.5 + 71.43 + 75 + 100) / 4, abs=0.01)


def test_every_cell_of_a_rejected_row_is_invalid() -> None:
    table = dataset(n=[1.0, INF, 2.0, None], s=["red", "Red", "red", "?"])
    report = assess(table, read_findings=[RAGGED])
    assert report.components["validity"] == 55.56  # 100 x (1 - (2 + 1 row x 2 columns) / (7 + 2))


def test_rows_that_repeat_an_earlier_one_cost_uniqueness() -> None:
    report = assess(dataset(a=[1, 1, 1, 2], b=["x", "x", "y", "x"]))
    assert report.components["uniqueness"] == 75.0
    assert [(f.code, f.count) for f in report.findings] == [("duplicate_rows", 1)]


def test_a_clean_table_scores_100_and_has_no_finding() -> None:
    report = assess(dataset(a=[1, 5, 9], b=["x", "y", "z"]))
    assert report.components == dict.fromkeys(("completeness", "validity", "consistency", "uniqueness"), 100.0)
    assert report.score == 100.0
    assert report.findings == ()
    assert report.rows == 3


def test_a_column_without_text_does_not_dilute_consistency() -> None:
    assert assess(dataset(n=[1, 2, 3, 4], s=[" a", "b", "c", "d"])).components["consistency"] == 75.0


def test_findings_come_worst_first_and_none_twice() -> None:
    told = [
        Finding(code="infinite_values", severity="warning", column="n", count=1, advice="from reading"),
        Finding(code="long_integers", severity="info", column="s", count=9),
    ]
    report = assess(dataset(n=[1.0, INF, 2.0], s=["a ", "b", None]), read_findings=told)
    assert [(f.severity, f.code, f.column, f.count) for f in report.findings] == [
        ("warning", "infinite_values", "n", 1),
        ("info", "long_integers", "s", 9),
        ("info", "missing_values", "s", 1),
        ("info", "white_space", "s", 1),
    ]


def test_a_column_is_described_by_its_range_or_its_most_frequent_values() -> None:
    report = assess(dataset(n=[0.0, 1.0, 19.0, 20.0, None], s=["x", "y", "x", "y", "x"]))
    number, text = report.columns
    assert (number.minimum, number.median, number.maximum) == (0.0, 10.0, 20.0)
    assert number.histogram == (1, 1, *[0] * 16, 0, 2)
    assert (number.missing_share, number.distinct, number.role) == (0.2, 4, "numeric")
    assert text.top == (("x", 3), ("y", 2))
    assert text.histogram == ()


def test_values_of_private_identifying_and_free_text_columns_are_not_shown() -> None:
    words = [f"a long secret sentence number {i} that says too much" for i in range(20)]
    table = dataset(
        customer_id=[f"{i} " for i in range(20)],
        note=[*words[:19], "NULL"],
        salary=[float(i) for i in range(20)],
        place=["hidden", "hidden", "Hidden", " ?"] * 5,
    )
    report = assess(table, private=["salary", "place"])
    assert [column.role for column in report.columns] == ["id", "text", "numeric", "categorical"]
    shown = report.model_dump_json()
    for secret in ("secret", "hidden", "19.0", '"19 "'):
        assert secret not in shown
    assert all(column.top == () and column.minimum is None for column in report.columns)
    assert {finding.code for finding in report.findings} >= {"white_space", "placeholder_text", "case_variants"}
    assert [finding.examples for finding in report.findings] == [()] * len(report.findings)


def test_values_of_other_columns_are_shown_as_examples() -> None:
    (finding,) = assess(dataset(place=["here", "here", "Here"], n=[1, 5, 9])).findings
    assert finding.examples == ("here / Here",)


def test_a_stated_role_is_believed() -> None:
    report = assess(dataset(code=[3, 7, 9], b=["x", "y", "z"]), roles={"code": "id"})
    assert report.columns[0].role == "id"
    assert report.columns[0].minimum is None


@pytest.mark.parametrize(
    "values", [[2**60, 2**60 + 256], [1.7e308, -1.7e308], [5e-324, 0.0], [3.0, 3.0, 4.0], [-0.0, 0.0, 1e-300]]
)
def test_no_range_is_too_narrow_or_too_wide_for_a_histogram(values: list) -> None:
    (column,) = assess(ds.dataset(pa.table({"x": values})), roles={"x": "numeric"}).columns
    assert sum(column.histogram) == len(values)
    assert len(column.histogram) == 20
    assert column.minimum == min(values)
    assert column.maximum == max(values)


cells = st.one_of(st.none(), st.sampled_from(["a", "A", " a", "NULL", "1", "2", "?", ""]), st.text(max_size=4))
numbers = st.one_of(st.none(), st.floats(width=64), st.sampled_from([INF, 0.0, 1.0]))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(cells, numbers, st.none() | st.booleans()), max_size=12))
def test_any_table_has_components_from_0_to_100_and_a_score_that_is_their_mean(rows: list) -> None:
    schema = pa.schema([("s", pa.string()), ("n", pa.float64()), ("b", pa.bool_())])
    names = schema.names
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema)
    report = assess(ds.dataset(table))
    assert all(0 <= value <= 100 for value in report.components.values())
    assert report.score == pytest.approx(sum(report.components.values()) / 4, abs=0.01)
    assert report.rows == len(rows)
    missing = table.column("s").null_count + table.column("n").null_count + table.column("b").null_count
    expected = round(100 * (1 - missing / (3 * len(rows))), 2) if rows else 100.0
    assert report.components["completeness"] == expected


def raw(rows: int, *, rejected: int = 0, breaks: tuple[str, ...] = ()) -> RawTable:
    table = TableHandle(path="p", digest="d", rows=rows, size_bytes=1, columns=())
    findings = (Finding(code="ragged_rows", severity="warning", count=rejected),) if rejected else ()
    return RawTable(batch="all", source_digest="s", table=table, findings=findings, schema_breaks=breaks)


@pytest.mark.parametrize(
    ("batch", "failed"),
    [
        (raw(100), []),
        (raw(90, rejected=10), []),
        (raw(89, rejected=11), ["rows_readable"]),
        (raw(100, breaks=("Column 'a' is missing.",)), ["schema_matches"]),
        (raw(1, rejected=1, breaks=("Column 'a' is missing.",)), ["schema_matches", "rows_readable"]),
    ],
)
def test_a_batch_passes_or_fails_its_blocking_checks(batch: RawTable, failed: list[str]) -> None:
    checks = batch_checks(batch)
    assert [check.name for check in checks] == ["schema_matches", "rows_readable"]
    assert all(check.blocking and check.description for check in checks)
    assert [check.name for check in checks if not check.passed] == failed
    assert [reason.split(":")[0] for reason in quarantine_reasons(checks)] == failed


def report(score: float) -> QualityReport:
    return QualityReport(rows=1, columns=(), score=score, components={}, findings=())


@pytest.mark.parametrize(("score", "passed"), [(69.99, False), (70.0, True), (100.0, True)])
def test_the_score_is_held_against_the_threshold_without_blocking(score: float, passed: bool) -> None:
    check = score_check(report(score), 70)
    assert (check.name, check.passed, check.blocking) == ("quality_score", passed, False)


def test_the_report_is_made_again_when_the_columns_section_changes() -> None:
    assert "columns" in QUALITY_REPORT.sections
