"""What a search does next, as a table of situations: no clock, no process, no file."""

from collections.abc import Mapping
from typing import Any

import pytest

from automl_assets.learn.families import Shape
from automl_assets.learn.score import METRICS
from automl_assets.tuning.candidates import Candidate, State
from automl_assets.tuning.cost import CostModel
from automl_assets.tuning.portfolio import Entry
from automl_assets.tuning.strategy import (
    MOST_IN_VAIN,
    Move,
    Record,
    Situation,
    expected_seconds,
    fits_whole,
    next_move,
)
from automl_assets.tuning.trial_store import FoldResult

AUC = METRICS["roc_auc"]
PORTFOLIO = tuple(
    Entry(
        family, {"learning_rate": 0.05, "num_leaves": 31, "feature_fraction": 0.8} if family == "lightgbm" else params
    )
    for family, params in [
        ("linear", {"strength": 1.0}),
        ("lightgbm", {}),
        ("extra_trees", {"min_samples_leaf": 1, "max_features": 0.5}),
        ("neighbours", {"neighbours": 20, "sharpness": 1.0}),
    ]
)


class Priced(CostModel):
    """Costs as a test states them."""

    def __init__(self, **seconds: float):
        super().__init__()
        self.prices = seconds

    def seconds(self, family: str, params: Any, shape: Shape) -> float:
        return self.prices.get(family, 1.0)


def done(
    family: str,
    *scores: float,
    seconds: float = 1.0,
    number: int = 0,
    state: State = "open",
    starved: bool = False,
    running: tuple[int, ...] = (),
) -> Candidate:
    """A candidate that has finished its first folds."""
    results = {
        fold: FoldResult(fold, score, 10, seconds, 0.1, "cpu", trees=10, starved=starved)
        for fold, score in enumerate(scores)
    }
    params = next(dict(e.params) for e in PORTFOLIO if e.family == family)
    return Candidate(family, number, params, results=results, state=state, running=set(running), seconds=seconds)


def situation(
    *candidates: Candidate,
    left: float = 60.0,
    budget: float = 60.0,
    costs: CostModel | None = None,
    weights: Mapping[str, float] | None = None,
    **more: Any,
) -> Situation:
    settings = {"portfolio": PORTFOLIO, "folds": 5, "workers": 1, **more}
    return Situation(
        candidates=candidates,
        cost=costs or Priced(),
        shape=Shape(1000, 5, 2),
        budget_seconds=budget,
        seconds_left=left,
        metric=AUC,
        weights=lambda: weights or {},
        **settings,
    )


def told(move: Move | None) -> tuple[str, tuple[int, ...]] | None:
    """Whose folds, and which: ``new <family>`` for a new configuration."""
    if move is None:
        return None
    return (move.candidate.id if move.candidate else f"new {move.family}", move.folds)


FLOOR = (done("linear", 0.7), done("lightgbm", 0.8))
ALL = (*FLOOR, done("extra_trees", 0.75), done("neighbours", 0.6))


def test_the_floor_comes_first() -> None:
    assert told(next_move(situation())) == ("new linear", (0,))
    assert told(next_move(situation(done("linear", 0.7)))) == ("new lightgbm", (0,))


def test_a_floor_fit_may_last_less_than_another() -> None:
    floor, other = next_move(situation()), next_move(situation(*FLOOR))
    assert floor is not None
    assert other is not None
    assert (floor.seconds, other.seconds) == (pytest.approx(4.8), pytest.approx(12.0))


def test_then_the_portfolio_in_its_order() -> None:
    assert told(next_move(situation(*FLOOR))) == ("new extra_trees", (0,))
    assert told(next_move(situation(*FLOOR, done("extra_trees", 0.75)))) == ("new neighbours", (0,))


def test_then_the_other_folds_of_the_best_first() -> None:
    assert told(next_move(situation(*ALL))) == ("lightgbm-0", (1,))


def test_short_folds_go_together() -> None:
    quick = (done("linear", 0.7, seconds=0.2), *ALL[1:])
    assert told(next_move(situation(*quick, left=10.0, weights={"linear-0": 1.0}))) == ("linear-0", (1, 2, 3, 4))
    two = situation(*quick, left=5.0, weights={"linear-0": 1.0}, workers=2)
    assert told(next_move(two)) == ("linear-0", (1, 2))


def test_a_candidate_that_a_kill_left_without_a_fold_is_begun_again() -> None:
    assert told(next_move(situation(done("linear")))) == ("linear-0", (0,))


def test_depth_begins_while_there_is_time_for_it() -> None:
    """Four folds of the booster take 40 s of the 45 that are left: nothing new is begun."""
    dear = (done("linear", 0.7, seconds=0.1), done("lightgbm", 0.8, seconds=9.0))
    now = situation(*dear, left=45.0, weights={"lightgbm-0": 1.0}, costs=Priced(extra_trees=5.0, neighbours=5.0))
    assert told(next_move(now)) == ("lightgbm-0", (1,))


def test_what_has_no_weight_and_is_dear_stays_with_one_fold() -> None:
    dear = (done("linear", 0.7, 0.7, 0.7, 0.7, 0.7, state="complete"), done("lightgbm", 0.8, 0.8, 0.8, 0.8, 0.8,
            state="complete"), done("extra_trees", 0.5, seconds=9.0), done("neighbours", 0.6, seconds=1.0))  # fmt: skip
    now = situation(*dear, left=30.0, weights={"lightgbm-0": 1.0, "neighbours-0": 0.4}, max_trials=4)
    assert told(next_move(now)) == ("neighbours-0", (1,))


def test_a_member_of_little_weight_that_takes_most_of_the_time_stays_with_one_fold() -> None:
    """Four folds of the forest would take 24 of 30 seconds for a fifth of the ensemble."""
    dear = (done("linear", *[0.7] * 5, state="complete"), done("lightgbm", 0.8, seconds=1.0),
            done("extra_trees", 0.75, seconds=6.0), done("neighbours", *[0.6] * 5, state="complete"))  # fmt: skip
    now = situation(*dear, left=30.0, weights={"lightgbm-0": 0.8, "extra_trees-0": 0.2}, max_trials=4)
    assert told(next_move(now)) == ("lightgbm-0", (1,))
    deep = (dear[0], done("lightgbm", *[0.8] * 5, state="complete"), *dear[2:])
    heavy = situation(*deep, left=26.0, weights={"lightgbm-0": 0.5, "extra_trees-0": 0.5}, max_trials=4)
    assert told(next_move(heavy)) == ("extra_trees-0", (1,))


def test_a_fit_that_would_not_end_in_time_is_not_begun() -> None:
    slow = tuple(done(c.family, c.results[0].score or 0.0, seconds=20.0) for c in ALL)
    assert next_move(situation(*slow, left=10.0)) is None


@pytest.mark.parametrize(("left", "expected"), [(30.0, ("new lightgbm", (0,))), (8.0, None)])
def test_the_best_that_was_cut_short_is_fed_where_much_time_is_left(left: float, expected: object) -> None:
    fed = tuple(
        done(c.family, 0.9 if c.family == "lightgbm" else 0.5, seconds=15.0, starved=c.family == "lightgbm",
             running=(1, 2, 3, 4))
        for c in ALL
    )  # fmt: skip
    assert told(next_move(situation(*fed, left=left))) == expected


@pytest.mark.parametrize(
    ("spent", "losses", "at", "best", "seconds"),
    [
        (10.0, (0.5, 0.4), (2.0, 5.0), 0.4, 5.0),  # the best: it has been waiting for 5 s, the last took 3
        (6.0, (0.5, 0.4), (2.0, 5.0), 0.4, 3.0),
        (10.0, (0.5, 0.4), (2.0, 5.0), 0.2, 16.0),  # 0.2 behind, and 0.1 came in the 8 s since the one before
        (4.0, (0.5,), (4.0,), 0.5, 4.0),
        (4.0, (0.5,), (4.0,), 0.4, 8.0),
        (4.0, (), (), 0.4, float("inf")),
    ],
)
def test_what_the_next_improvement_of_a_family_is_expected_to_cost(
    spent: float, losses: tuple[float, ...], at: tuple[float, ...], best: float, seconds: float
) -> None:
    assert expected_seconds(Record(spent, losses, at), best) == pytest.approx(seconds)


def test_the_search_goes_where_the_next_improvement_is_expected_soonest() -> None:
    whole = tuple(done(c.family, *[c.results[0].score or 0.0] * 5, state="complete", seconds=4.0) for c in ALL)
    assert told(next_move(situation(*whole))) == ("new lightgbm", (0,))
    more = tuple(done("lightgbm", *[0.79] * 5, state="complete", seconds=4.0, number=n) for n in (1, 2, 3))
    assert told(next_move(situation(*whole, *more))) == ("new extra_trees", (0,))
    better = done("extra_trees", *[0.81] * 5, state="complete", seconds=4.0, number=1)
    assert told(next_move(situation(*whole, *more, better))) == ("new extra_trees", (0,))


def test_it_stops_when_more_would_not_pay() -> None:
    whole = tuple(done(c.family, *[c.results[0].score or 0.0] * 5, state="complete") for c in ALL)
    assert next_move(situation(*whole, in_vain=MOST_IN_VAIN)) is None
    assert next_move(situation(*whole, max_trials=4)) is None


def test_a_family_with_three_failures_is_not_begun() -> None:
    assert told(next_move(situation(failures={"linear": 3}))) == ("new lightgbm", (0,))


@pytest.mark.parametrize(("seconds", "whole"), [(1.0, True), (3.0, False)])
def test_the_whole_portfolio_fits_or_does_not(seconds: float, whole: bool) -> None:
    now = situation(costs=Priced(linear=seconds, lightgbm=seconds, extra_trees=seconds, neighbours=seconds))
    assert fits_whole(now, now.untried()) is whole
