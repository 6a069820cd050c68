"""The page is text; what it must say, and what it must never say, is looked for in it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.ports import VersionInfo
from automl_assets.core.values import (
    Batch,
    CleaningPlan,
    ColumnProfile,
    Evaluation,
    HoldoutRule,
    Interval,
    Leak,
    Member,
    PlanStep,
    Problem,
    QualityReport,
    Slice,
    Study,
    TableHandle,
    TrainedModel,
    TrainingWindow,
    Trial,
)
from automl_assets.evaluation.expectations import build_expectations
from automl_assets.evaluation.page import SECTIONS, model_page
from automl_assets.evaluation.page_charts import Dot, Estimate, bars, curve, estimates, heat, histogram, scatter, ticks
from automl_assets.evaluation.page_facts import PageFacts, holdout_words, step_words, verdict
from automl_assets.evaluation.page_html import Html, element, number, table
from automl_assets.evaluation.reference import reference_of
from automl_assets.training.calibrate import Calibration
from automl_assets.training.model import ModelCard

ROWS = 600
ROLES = {
    "age": "numeric", "city": "categorical", "salary": "numeric", "ward": "categorical", "note": "text", "pid": "id",
    "y": "target",
}  # fmt: skip
SECRETS = ("91234.5", "WARD-SECRET", "text-secret", "pid-secret", "reason-secret", "group-secret")
RULE = HoldoutRule(kind="hash", columns=("age",), salt="s", share=0.2, target="y", strata="class")
EVIL = "<script>alert('x')</script>"


def member(name: str, weight: float, score: float, row_ms: float) -> Member:
    return Member(
        name=name, family=name.partition("-")[0], weight=weight, score=score, fit_seconds=1.5, row_ms=row_ms,
        rows_per_second=5000.0, memory_mb=120.0, size_mb=0.4,
    )  # fmt: skip


def an_evaluation(**parts: Any) -> Evaluation:
    found: dict[str, Any] = {
        "metric": "roc_auc", "higher_is_better": True, "rows": 120, "dummy": 0.5, "linear": 0.8,
        "holdout": Interval(value=0.9, low=0.85, high=0.95),
        "gain_over_linear": Interval(value=0.1, low=0.05, high=0.15), "metrics": {"accuracy": 0.8, "log_loss": 0.3},
        "importances": {"salary": 0.4, "note": 0.3, "ward": 0.25, "age": 0.2, "city": 0.1, "other": -0.01},
        "confusion": ((50, 10), (8, 52)), "roc": ((0.0, 0.0), (0.2, 0.8), (1.0, 1.0)),
        "slices": (
            Slice(column="city", group=EVIL, rows=60, score=0.91, low=0.8, high=0.97),
            Slice(column="ward", group="group-secret", rows=60, score=0.88),
        ),
    }  # fmt: skip
    return Evaluation(**{**found, **parts})


def some_facts(**parts: Any) -> PageFacts:
    """A version of which everything is stored, with secrets wherever one could slip through."""
    generator = np.random.default_rng(0)
    rows = pa.table(
        {
            "age": generator.integers(20, 60, ROWS).astype(float),
            "city": np.array(["Bern", EVIL])[generator.integers(0, 2, ROWS)],
            "salary": np.full(ROWS, 91234.5),
            "ward": ["WARD-SECRET"] * ROWS,
            "note": ["text-secret"] * ROWS,
        }
    )
    roles = {name: role for name, role in ROLES.items() if role not in ("id", "target")}
    probabilities = np.column_stack([1 - (p := generator.random(120)), p])
    y = (generator.random(120) < p).astype(int)
    plan = CleaningPlan(
        steps=(
            PlanStep(operation="trim", columns=("city",), params={}, reason="spaces around cells", changed=12),
            PlanStep(operation="parse_number", columns=("salary",), params={}, reason="reason-secret 91234.5"),
        )
    )
    problem = Problem(
        kind="binary", metric="roc_auc", target="y", classes=("no", EVIL), roles=ROLES,  # type: ignore[arg-type]
        role_reasons={"age": "number, 40 different values"}, holdout=RULE, train_rows=480, holdout_rows=120,
        leaks=(Leak(column="age", kind="predicts_target", score=0.97, certain=False, reason="it nearly is y"),),
    )  # fmt: skip
    card = ModelCard(
        pipeline="churn", kind="binary", metric="roc_auc", target="y", classes=problem.classes, roles=roles,
        columns=(), plan=plan, holdout=RULE, window=("h1",), members=(), calibration=Calibration(),
        residual_quantile=None, id_columns=("pid",), versions={"lightgbm": "4.7.0"},
    )  # fmt: skip
    candidates = (
        member("lightgbm-0", 0.7, 0.88, 2.0),
        member("linear-0", 0.3, 0.8, 0.5),
        member("svm-0", 0, 0.85, 9.0),
    )
    trained = TrainedModel(
        path="p", digest="sha", size_mb=1.0, metric="roc_auc", score=0.9, members=candidates[:2],
        leaderboard=(member("ensemble", 1.0, 0.9, 2.5), *candidates), calibration="none", seconds=1.0,
    )  # fmt: skip
    trials = [
        Trial(id=m.name, family=m.family, params={}, state="complete" if m.weight else "partial", score=m.score,
              folds=5, fit_seconds=1.5, memory_mb=1.0)
        for m in candidates
    ]  # fmt: skip
    handle = TableHandle(path="t", digest="h1", rows=600, size_bytes=1, columns=())
    quality = QualityReport(
        rows=600, score=87.5, components={}, findings=(),
        columns=(ColumnProfile(name="ward", type="text", role="categorical", missing_share=0, distinct=1,
                               top=(("WARD-SECRET", 600),)),),
    )  # fmt: skip
    facts: dict[str, Any] = {
        "info": VersionInfo("churn", "3", "run9", {
            "gate": "better", "git_commit": "abc+changes", "code_version": "0.1.0", "seed": "7", "data_hashes": "h1",
            "config_hash": "c0ffee", "model_sha256": "sha", "dagster_run_id": "dag1", "lock_hash": "10c4",
        }, ("champion",), 1_700_000_000.0),
        "evaluation": an_evaluation(), "problem": problem, "plan": plan, "card": card,
        "private": frozenset({"salary", "ward"}), "champion": "3", "url": "http://127.0.0.1:5000/#/runs/run9",
        "watching": {"engine": "evidently", "domain_auc": "0.55"},
        "trained": trained, "window": TrainingWindow(batches=(Batch(key="monday.csv", table=handle),), rows=600),
        "study": Study(key="k", metric="roc_auc", trials=tuple(trials), folds=5, seconds=9.0, complete=True,
                       stopped_because="time"),
        "quality": {"monday.csv": quality},
        "reference": reference_of(ds.dataset(rows), roles, private=["salary", "ward"], share=0.8),
        "expectations": build_expectations("roc_auc", y, probabilities, target=np.array([0, 1] * 240)),
        "made": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    }  # fmt: skip
    return PageFacts(**{**facts, **parts})


class Checker(HTMLParser):
    """Elements that are closed, and addresses that a browser would fetch."""

    VOID = ("meta", "rect", "circle", "line", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "img", "object", "embed"):
            self.fetched.append(tag)
        self.fetched += [value or "" for key, value in attrs if key in ("src", "data") or key.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID or (self.open and self.open[-1] == tag):
            assert self.open.pop() == tag, tag


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page.replace("</circle>", "").replace("</rect>", ""))
    checker.close()
    return checker


# ---- the page ----------------------------------------------------------------------------------------------------


def test_the_page_says_everything_that_is_stored() -> None:
    page = model_page(some_facts())

    for words in (
        "churn, version 3", ">champion<", "Better than a linear model: roc_auc 0.9 [0.85, 0.95] on 120 rows",
        "0.85 … 0.95", "+0.05 … +0.15", "every metric", "log_loss", "monday.csv", "87.5 of 100", "it nearly is y",
        "number, 40 different values", "20% of the rows judge", "Trim in city: spaces around cells (12 cells",
        "ROC curve", "Blue: the ensemble and its members", "milliseconds a row", "lightgbm-0", "svm-0",
        "3 (2 complete, 1 partial)", "stopped because of", "domain auc 0.55",
        "c0ffee", "10c4", "dag1", "lightgbm 4.7.0", "git checkout abc", "The working copy had changes",
        "automl run churn --force", "Made 2026-01-02 03:04+00:00", "the reliability curve",
    ):  # fmt: skip
        assert words in page, words
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in page, title


def test_values_of_private_id_and_text_columns_are_nowhere() -> None:
    page = model_page(some_facts())

    for secret in SECRETS:
        assert secret not in page, secret
    assert "Parse number in salary (by the local planner" in page
    assert page.count("values are never shown") == 4


def test_what_is_hidden_would_be_shown_of_columns_that_are_not_private() -> None:
    page = model_page(some_facts(private=frozenset(), reference=None))

    for shown in ("group-secret", "reason-secret 91234.5"):
        assert shown in page, shown


def test_a_private_target_hides_its_classes_and_its_values() -> None:
    facts = some_facts(private=frozenset({"salary", "ward", "y"}))

    page = model_page(facts)

    assert "class 1, class 2" in page
    assert "alert" not in page.split("Slices")[0]
    assert "the probability of" not in page
    residuals = an_evaluation(residual_quantiles=(-91234.5, 0.0, 91234.5), confusion=(), roc=())
    assert "91,23" not in model_page(replace(facts, evaluation=residuals))


def test_everything_is_escaped_and_nothing_is_fetched() -> None:
    page = model_page(some_facts())

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    checker = checked(page)
    assert checker.fetched == []
    assert checker.open == []
    assert not re.search(r"url\(|@import", page)


def test_a_page_without_local_records_says_what_it_lacks() -> None:
    bare = some_facts(trained=None, study=None, window=None, quality={}, reference=None, expectations=None)

    page = model_page(bare)

    for title in ("Leaderboard", "Tuning", "Drift reference"):
        assert f"<h2>{title}</h2>" not in page
    footer = page[page.index("<footer>") :]
    for words in ("the leaderboard", "the tuning history", "the training data", "the quality score", "the drift"):
        assert words in footer
    assert checked(page).open == []


@pytest.mark.parametrize(
    ("aliases", "champion", "told"),
    [
        ((), "4", "not in use; the champion is version 4"),
        ((), None, ">not in use<"),
        (("challenger",), "4", ">challenger<"),
    ],
)
def test_a_version_says_whether_it_is_in_use(aliases: tuple[str, ...], champion: str | None, told: str) -> None:
    facts = some_facts(champion=champion)

    assert told in model_page(replace(facts, info=replace(facts.info, aliases=aliases)))


def test_numbers_are_shown_with_their_residuals() -> None:
    found = an_evaluation(
        metric="rmse", higher_is_better=False, metrics={"mae": 1.0}, confusion=(), roc=(),
        residual_quantiles=(-2.0, -0.5, 0.0, 0.4, 3.0),
    )  # fmt: skip

    page = model_page(some_facts(evaluation=found))

    assert "Residuals" in page
    assert "lower is better" in page
    assert "ROC" not in page


# ---- sentences ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "told", "how"),
    [
        ({}, "Better than a linear model", "good"),
        ({"gain_over_linear": Interval(value=0.01, low=-0.01, high=0.02)}, "Not clearly better than a linear", "warn"),
        ({"gain_over_linear": Interval(value=-0.1, low=-0.2, high=-0.01)}, "Worse than a linear model", "bad"),
        ({"holdout": Interval(value=0.5, low=0.4, high=0.6)}, "No better than guessing", "bad"),
        ({"metric": "rmse", "higher_is_better": False, "dummy": 0.7}, "No better than guessing", "bad"),
    ],
)
def test_the_verdict_is_a_sentence(parts: dict[str, Any], told: str, how: str) -> None:
    sentence, colour = verdict(some_facts(evaluation=an_evaluation(**parts)))

    assert sentence.startswith(told)
    assert colour == how


@pytest.mark.parametrize(
    ("rule", "hidden", "told"),
    [
        (RULE, (), "20% of the rows judge, drawn by a hash of their values, the same share of each class: "),
        (RULE.model_copy(update={"strata": None}), (), "drawn by a hash of their values: equal rows are on one side"),
        (RULE.model_copy(update={"kind": "key", "columns": ("pid",)}), ("pid",), "by a hash of pid: rows that share"),
        (RULE.model_copy(update={"kind": "time", "columns": ("day",), "newest_from": "2026-01-01"}), (),
         "The newest 20% of the rows by day (from 2026-01-01) judge"),
        (RULE.model_copy(update={"kind": "time", "columns": ("day",), "newest_from": "2026-01-01"}), ("day",),
         "The newest 20% of the rows by day judge"),
    ],
)  # fmt: skip
def test_the_holdout_is_told_in_words(rule: HoldoutRule, hidden: tuple[str, ...], told: str) -> None:
    assert told in holdout_words(rule, frozenset(hidden))


@pytest.mark.parametrize(
    ("columns", "hidden", "told"),
    [
        (("a",), (), "Parse date in a: dates of the form %Y (3 cells, by the local planner, confidence 90%)."),
        (("a", "b"), ("b",), "Parse date in a, b (3 cells, by the local planner, confidence 90%)."),
    ],
)
def test_a_cleaning_step_is_a_sentence(columns: tuple[str, ...], hidden: tuple[str, ...], told: str) -> None:
    step = PlanStep(
        operation="parse_date", columns=columns, params={}, reason="dates of the form %Y", confidence=0.9, changed=3
    )

    assert step_words(step, frozenset(hidden)) == told


# ---- drawings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.2, 9.1, [0, 5]),
        (47, 81, [50, 60, 70, 80]),
        (2, 2, [2]),
        (1e-9, 3e-9, [1e-9, 1.5e-9, 2e-9, 2.5e-9, 3e-9]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    "drawing",
    [
        bars([("a", 1.0), ("b", -0.5)]),
        bars([("a", 0.0)]),
        curve([(0.0, 0.0), (1.0, 1.0)], "x", "y", diagonal=True),
        curve([(3.0, 0.0), (3.0, 1.0)], "x", "y", zero=True),
        estimates([Estimate("one", 2.0)]),
        histogram([0.0, 0.0], 1.0, 1.0),
        heat([[0, 0], [0, 0]], ["a", "b"]),
        heat([[1] * 60] * 60, [str(i) for i in range(60)]),
        scatter([Dot(0.001, 5.0, "a", True), Dot(0.001, 5.0, "b", False)], [(0.001, 5.0)], "x", "y"),
    ],
)
def test_a_drawing_of_odd_numbers_is_still_a_drawing(drawing: Html) -> None:
    assert drawing.startswith("<svg ")
    assert checked(drawing).open == []
    assert "nan" not in drawing
    assert "inf" not in drawing


def test_only_html_is_taken_as_html() -> None:
    assert element("p", "<b>", Html("<i>x</i>"), class_='a"b') == '<p class="a&quot;b">&lt;b&gt;<i>x</i></p>'
    assert "&lt;td&gt;" in table(["<td>"], [])


@pytest.mark.parametrize(
    ("value", "digits", "told"),
    [(0.123456, 4, "0.1235"), (12345.6, 4, "12,346"), (None, 4, "—"), (float("nan"), 4, "—"), (0.0, 3, "0")],
)
def test_numbers_are_short(value: float | None, digits: int, told: str) -> None:
    assert number(value, digits) == told
