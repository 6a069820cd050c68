"""What the monitoring assets tell, and what they look back at."""

from datetime import UTC, datetime, timedelta

import pytest

from automl_assets.core.evidence import DriftReport, RivalScore, Verdict
from automl_assets.core.records import Act, VerdictRow
from automl_assets.core.values import Interval
from automl_assets.monitoring.assets import DRIFT_CHECKS, drift_checks, rival_scores

START = datetime(2026, 11, 21, tzinfo=UTC)


def a_report(status: str, reasons: tuple[str, ...] = ()) -> DriftReport:
    return DriftReport(status=status, reasons=reasons, share_drifted=0.0, features=(), reference_rows=1, current_rows=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("report", "passed", "told"),
    [
        (a_report("none"), True, "No feature drifted."),
        (a_report("insufficient_data"), True, "Too few rows to tell."),
        (a_report("drift", ("a: drifted", "b: drifted")), False, "a: drifted; b: drifted"),
        (a_report("drift", tuple("abcdefgh")), False, "a; b; c; d; e; f"),
        (a_report("schema_changed", ("a: the column is missing",)), False, "a: the column is missing"),
    ],
)
def test_the_check_fails_on_drift_and_says_what_it_asks_for(report: DriftReport, passed: bool, told: str) -> None:
    (check,) = drift_checks(report)

    assert (check.name, check.passed, check.blocking, check.description) == ("no_drift", passed, False, told)
    assert check.name == DRIFT_CHECKS[0].name


def judged(row_id: int, batch: str, sequence: int, gain: float, *, champion: str = "2") -> VerdictRow:
    """A verdict on a batch that another version scored too, an hour after the one before."""
    rival = RivalScore(version="3", role="challenger", rows=100, gain=Interval(value=gain, low=gain, high=gain))
    verdict = Verdict(
        pipeline="churn", batch=batch, sequence=sequence, champion=champion, finding=str(row_id), action="none",
        severity="info", reasons=(), rivals=(rival,),
    )  # fmt: skip
    return VerdictRow(verdict, START + timedelta(hours=row_id), id=row_id)


@pytest.mark.parametrize(
    ("rows", "moved_hours_after", "gains"),
    [
        ([], None, []),
        ([judged(2, "b2", 2, 0.2), judged(1, "b1", 1, 0.1)], None, [0.1, 0.2]),
        ([judged(1, "b1", 1, 0.1), judged(3, "b1", 1, 0.3), judged(2, "b2", 2, 0.2)], None, [0.3, 0.2]),
        ([judged(1, "b1", 1, 0.1, champion="1"), judged(2, "b2", 2, 0.2)], None, [0.2]),
        ([judged(1, "b1", 1, 0.1), judged(2, "b2", 2, 0.2)], 1.5, [0.2]),
        ([judged(1, "all", 1, 0.1), judged(2, "all", 2, 0.2)], None, [0.1, 0.2]),
    ],
    ids=["none", "in order", "judged again", "of another champion", "before the champion moved", "whole tables"],
)
def test_the_scores_of_other_versions_since_the_champion_moved(
    rows: list[VerdictRow], moved_hours_after: float | None, gains: list[float]
) -> None:
    acts = []
    if moved_hours_after is not None:
        acts = [Act("churn", "promote", "gate", "better", "1", "2", START + timedelta(hours=moved_hours_after))]

    assert [score.gain.value for score in rival_scores(rows, "2", acts)] == gains
