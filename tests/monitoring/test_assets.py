import pytest

from automl_assets.core.values import Champion, DriftReport, RawTable, TableHandle
from automl_assets.monitoring.assets import DRIFT_CHECKS, drift_checks, finding_id


def a_report(status: str, action: str = "none", reasons: tuple[str, ...] = ()) -> DriftReport:
    return DriftReport(
        status=status, reasons=reasons, share_drifted=0.0, features=(), reference_rows=1, current_rows=1, action=action
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("report", "passed", "told"),
    [
        (a_report("none"), True, "No feature drifted."),
        (a_report("insufficient_data"), True, "Too few rows to tell."),
        (a_report("drift", "retrain", ("a: drifted", "b: drifted")), False, "retrain: a: drifted; b: drifted"),
        (a_report("drift", "alert", tuple("abcdefgh")), False, "alert: a; b; c; d; e; f"),
        (a_report("schema_changed", "alert", ("a: the column is missing",)), False, "alert: a: the column is missing"),
    ],
)
def test_the_check_fails_on_drift_and_says_what_it_asks_for(report: DriftReport, passed: bool, told: str) -> None:
    (check,) = drift_checks(report)

    assert (check.name, check.passed, check.blocking, check.description) == ("no_drift", passed, False, told)
    assert check.name == DRIFT_CHECKS[0].name


def test_a_finding_is_about_content_and_champion_and_nothing_else() -> None:
    def finding(batch: str = "monday", digest: str = "d1", version: str = "1", run: str = "r", name: str = "p") -> str:
        table = TableHandle(path=batch, digest=digest, rows=1, size_bytes=1, columns=())
        raw = RawTable(batch=batch, source_digest=batch, table=table)
        return finding_id(name, raw, Champion(name=name, version=version, run_id=run, digest=""))

    assert finding() == finding(batch="tuesday") == finding(run="another")
    assert len({finding(), finding(digest="d2"), finding(version="2"), finding(name="q")}) == 4
