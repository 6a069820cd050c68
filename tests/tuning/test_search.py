import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.core.errors import FitError
from automl_assets.core.values import Study
from automl_assets.learn.families import Shape
from automl_assets.tuning.budget import Clock
from automl_assets.tuning.search import Search
from automl_assets.tuning.search_settings import SearchProgress, SearchSettings, workers_and_threads
from automl_assets.tuning.study import families_in_order, reserve_seconds
from automl_assets.tuning.trial_store import TrialStore
from tests.tuning.fakes import Script, ScriptedRunner, failed
from tests.tuning.portfolios import portfolio_of

FOLDS = 3


@pytest.fixture(autouse=True)
def each_familys_defaults() -> Iterator[None]:
    with portfolio_of():
        yield


def search(
    folder: Path,
    script: Script,
    *,
    families: tuple[str, ...] = ("linear", "extra_trees"),
    metric: str = "roc_auc",
    max_trials: int | None = 4,
    budget: float = 100.0,
    fit_seconds: float = 1.0,
    workers: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
    report: Callable[[SearchProgress], None] = lambda _: None,
) -> tuple[Study, ScriptedRunner]:
    """A whole search over fits that a script decides."""
    store = TrialStore(folder)
    rows = np.arange(6)
    store.prepare(
        pa.table({"x": rows.astype(float)}),
        y=rows % 2,
        folds=(rows % FOLDS).astype(np.int8),
        weight=None,
        settings={"metric": metric, "roles": {"x": "numeric"}, "classes": ["a", "b"]},
    )
    runner = ScriptedRunner(script, fit_seconds=fit_seconds)
    settings = SearchSettings(
        families=families, folds=FOLDS, seed=0, workers=workers, threads=1, memory_mb=1000.0, max_trials=max_trials
    )
    study = Search(
        store,
        runner,  # type: ignore[arg-type]
        Clock(budget, store.clock_file),
        settings,
        shape=Shape(6, 1, 2),
        report=report,
        should_stop=should_stop,
    ).run()
    return study, runner


def test_every_familys_defaults_come_first_and_then_their_other_folds(tmp_path: Path) -> None:
    study, runner = search(tmp_path, lambda family, number, fold: 0.8, max_trials=2)

    assert runner.calls == [
        ("linear-0", 0), ("extra_trees-0", 0),
        ("linear-0", 1), ("linear-0", 2), ("extra_trees-0", 1), ("extra_trees-0", 2),
    ]  # fmt: skip
    assert [(t.id, t.state, t.score, t.folds) for t in study.trials] == [
        ("linear-0", "complete", pytest.approx(0.8), 3),
        ("extra_trees-0", "complete", pytest.approx(0.8), 3),
    ]
    assert (study.folds, study.complete, study.stopped_because) == (3, True, "nothing left to try")


def test_the_best_family_gets_more_configurations_than_the_next(tmp_path: Path) -> None:
    scores = {"linear": 0.9, "extra_trees": 0.7}

    study, _ = search(tmp_path, lambda family, number, fold: scores[family], max_trials=11)

    tried = Counter(trial.family for trial in study.trials)
    assert tried.total() == 11
    assert tried["linear"] > tried["extra_trees"] >= 2


def test_less_error_ranks_first_where_less_is_better(tmp_path: Path) -> None:
    scores = {"linear": 0.9, "extra_trees": 0.7}

    study, _ = search(tmp_path, lambda family, number, fold: scores[family], metric="log_loss", max_trials=11)

    tried = Counter(trial.family for trial in study.trials)
    assert tried["extra_trees"] > tried["linear"]


def test_a_fold_that_would_not_end_in_time_is_not_begun(tmp_path: Path) -> None:
    study, _ = search(tmp_path, lambda family, number, fold: 0.8, max_trials=2, budget=10.0, fit_seconds=9.0)

    assert study.folds == 1
    assert {trial.state for trial in study.trials} == {"complete"}


@pytest.mark.parametrize("kind", ["error", "timeout", "memory", "crashed"])
def test_a_family_whose_defaults_fail_is_out_and_the_rest_goes_on(tmp_path: Path, kind: str) -> None:
    study, runner = search(
        tmp_path, lambda family, number, fold: failed(kind) if family == "linear" else 0.6, max_trials=4
    )

    assert [call for call in runner.calls if call[0].startswith("linear")] == [("linear-0", 0)]
    (failure,) = [trial for trial in study.trials if trial.state == "failed"]
    assert (failure.id, failure.folds, failure.score) == ("linear-0", 0, None)
    assert failure.reason
    assert sum(trial.state == "complete" for trial in study.trials) == 3


def test_a_family_is_out_after_three_failures_in_a_row(tmp_path: Path) -> None:
    study, _ = search(
        tmp_path,
        lambda family, number, fold: failed() if family == "linear" and number else 0.9 if family == "linear" else 0.6,
        max_trials=12,
    )

    states = Counter((trial.family, trial.state) for trial in study.trials)
    assert states["linear", "failed"] == 3
    assert states["extra_trees", "complete"] == 12 - 4


def test_a_configuration_that_eight_others_beat_is_pruned_after_its_first_fold(tmp_path: Path) -> None:
    def script(family: str, number: int, fold: int) -> float:
        return 0.9 if number < 9 else 0.1

    study, runner = search(tmp_path, script, families=("linear",), max_trials=10)

    assert runner.calls.count(("linear-9", 0)) == 1
    assert ("linear-9", 1) not in runner.calls
    assert [(t.state, t.reason) for t in study.trials][-1] == ("pruned", "others are better on the same folds")


def test_an_undefined_score_is_a_failure_that_says_so(tmp_path: Path) -> None:
    study, _ = search(
        tmp_path,
        lambda family, number, fold: None if family == "linear" else 0.5,  # type: ignore[arg-type, return-value]
        max_trials=2,
    )

    assert [(t.state, t.reason) for t in study.trials if t.family == "linear"] == [("failed", "its score is undefined")]


def test_no_fit_at_all_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"No family finished a fit within 100 s\. linear: it broke; extra_trees"):
        search(tmp_path, lambda family, number, fold: failed())


def test_a_family_that_takes_longer_than_what_is_left_gives_way_to_a_quicker_one(tmp_path: Path) -> None:
    """The best family costs more a fold than remains: the next best has the rest."""
    (tmp_path / "clock.json").write_text(json.dumps({"seconds": 970.0}))
    store = TrialStore(tmp_path)

    class Uneven(ScriptedRunner):
        def submit(self, call, arguments, **limits):  # type: ignore[no-untyped-def]
            self.fit_seconds = 50.0 if arguments["family"] == "linear" else 0.1
            return super().submit(call, arguments, **limits)

    rows = np.arange(6)
    store.prepare(
        pa.table({"x": rows.astype(float)}), y=rows % 2, folds=np.zeros(6, np.int8), weight=None,
        settings={"metric": "roc_auc", "roles": {"x": "numeric"}, "classes": ["a", "b"]},
    )  # fmt: skip
    settings = SearchSettings(("linear", "extra_trees"), 1, 0, 1, 1, 1000.0, max_trials=5)

    study = Search(
        store,
        Uneven(lambda family, number, fold: 0.9 if family == "linear" else 0.6),  # type: ignore[arg-type]
        Clock(1000.0, store.clock_file),
        settings,
        shape=Shape(6, 1, 2),
    ).run()

    assert Counter(trial.family for trial in study.trials) == {"linear": 1, "extra_trees": 4}


@pytest.mark.parametrize("after", [1, 2, 4, 7])
def test_a_study_goes_on_where_it_was_interrupted_and_repeats_no_finished_fold(tmp_path: Path, after: int) -> None:
    fitted: list[tuple[str, int]] = []

    def script(family: str, number: int, fold: int) -> float:
        fitted.append((f"{family}-{number}", fold))
        return 0.5 + number / 100

    first, _ = search(tmp_path, script, should_stop=lambda: len(fitted) >= after)
    assert (first.complete, first.stopped_because) == (False, "interrupted")
    for name, torn in (("proposals.jsonl", '{"family": "lin'), ("fits.jsonl", '{"trial": "linear-0", "fo')):
        with (tmp_path / name).open("a") as file:
            file.write(torn)
    (tmp_path / "trials" / "linear-0" / ".partial-torn").mkdir(parents=True)

    second, _ = search(tmp_path, script)

    assert len(fitted) == len(set(fitted)) == 4 * FOLDS
    assert second.complete
    assert {trial.id: (trial.state, trial.folds) for trial in second.trials} == dict.fromkeys(
        {name for name, _ in fitted}, ("complete", 3)
    )
    uninterrupted, _ = search(tmp_path / "other", lambda family, number, fold: 0.5 + number / 100)
    assert {trial.id for trial in second.trials} == {trial.id for trial in uninterrupted.trials}


def test_a_failure_before_the_interruption_is_not_tried_again(tmp_path: Path) -> None:
    fitted: list[tuple[str, int]] = []

    def script(family: str, number: int, fold: int) -> object:
        fitted.append((f"{family}-{number}", fold))
        return failed("timeout") if family == "linear" else 0.5

    search(tmp_path, script, should_stop=lambda: len(fitted) >= 2)  # type: ignore[arg-type]
    study, _ = search(tmp_path, script)  # type: ignore[arg-type]

    assert fitted.count(("linear-0", 0)) == 1
    assert {t.family for t in study.trials if t.state == "failed"} == {"linear"}


def test_a_study_whose_budget_is_spent_starts_nothing_new(tmp_path: Path) -> None:
    search(tmp_path, lambda family, number, fold: 0.5, max_trials=1)
    (tmp_path / "clock.json").write_text(json.dumps({"seconds": 1000}))

    study, runner = search(tmp_path, lambda family, number, fold: 0.5, max_trials=9)

    assert runner.calls == []
    assert (study.folds, study.stopped_because, study.complete) == (3, "time", True)


def test_a_spent_budget_without_any_result_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "clock.json").parent.mkdir(exist_ok=True)
    (tmp_path / "clock.json").write_text(json.dumps({"seconds": 1000}))

    study, _ = search(tmp_path, lambda family, number, fold: 0.5, max_trials=1)

    assert study.folds == 3
    assert study.seconds < 50


def test_a_fit_gets_its_share_of_the_budget_and_of_the_memory(tmp_path: Path) -> None:
    _, runner = search(tmp_path, lambda family, number, fold: 0.5, max_trials=2, workers=2)

    floor, after = (next(limit for call, limit in zip(runner.calls, runner.limits, strict=False) if call[0] == name)
                    for name in ("linear-0", "extra_trees-0"))  # fmt: skip
    assert floor == (pytest.approx(0.85 * 8 + 2.4, abs=0.5), 500.0)
    assert after == (pytest.approx(0.85 * 20 + 4.0, abs=0.5), 500.0)


def test_no_fit_may_last_longer_than_the_budget(tmp_path: Path) -> None:
    _, runner = search(tmp_path, lambda family, number, fold: 0.5, max_trials=1, budget=2.0, fit_seconds=0.01)

    assert all(seconds <= 2.0 for seconds, _ in runner.limits)


def test_progress_names_the_leader(tmp_path: Path) -> None:
    told: list[SearchProgress] = []

    search(tmp_path, lambda family, number, fold: 0.9 if family == "linear" else 0.6, max_trials=2, report=told.append)

    assert (told[-1].trials, told[-1].best_family, told[-1].best_score) == (2, "linear", pytest.approx(0.9))
    assert told[0].seconds_left == pytest.approx(100, abs=30)


def test_losers_keep_their_scores_and_lose_their_models(tmp_path: Path) -> None:
    study, _ = search(tmp_path, lambda family, number, fold: 0.5 + number / 1000, families=("linear",), max_trials=18)

    store = TrialStore(tmp_path)
    assert all(trial.state == "complete" for trial in study.trials)
    assert [t.id for t in study.trials if not store.has_models(t.id, 3)] == ["linear-0", "linear-1"]
    assert len(store.results("linear-0", 3)) == 3


@pytest.mark.parametrize(
    ("cells", "cores", "expected"),
    [(2_000_000, 4, (4, 1)), (2_000_001, 4, (1, 4)), (10, 1, (1, 1))],
)
def test_small_fits_run_side_by_side_and_large_ones_have_all_cores(
    cells: int, cores: int, expected: tuple[int, int]
) -> None:
    assert workers_and_threads(cells, cores) == expected


@pytest.mark.parametrize(("budget", "reserve"), [(4, 0.5), (60, 3.6), (100, 6.0), (300, 8.0), (3600, 8.0)])
def test_part_of_the_budget_is_kept_for_the_model(budget: float, reserve: float) -> None:
    assert reserve_seconds(budget) == pytest.approx(reserve)


def test_families_go_from_quick_to_slow() -> None:
    assert families_in_order(["extra_trees", "xgboost", "linear"]) == ("linear", "xgboost", "extra_trees")
    assert families_in_order("auto")[0] == "linear"
