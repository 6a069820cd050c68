import pytest

from automl_assets.learn.families import Shape, registry
from automl_assets.tuning.cost import FEWEST_TREES, OVERHEAD_SECONDS, USUAL_SPEEDS, CostModel

SMALL, LARGE = Shape(1_000, 10, 2), Shape(100_000, 10, 2)


def defaults(family: str, shape: Shape) -> dict[str, object]:
    return registry.get(family).defaults(shape)


@pytest.mark.parametrize("family", registry.names())
def test_more_rows_more_columns_and_more_classes_are_more_work(family: str) -> None:
    kind, params = registry.get(family), registry.get(family).defaults(SMALL)
    assert 0 < kind.work(params, SMALL) < kind.work(params, LARGE)
    assert kind.work(params, SMALL) < kind.work(params, Shape(1_000, 100, 2))
    assert kind.work(params, SMALL) <= kind.work(params, Shape(1_000, 10, 7))


@pytest.mark.parametrize("family", registry.names())
def test_a_new_familys_cost_has_a_default(family: str) -> None:
    assert CostModel().seconds(family, defaults(family, SMALL), SMALL) > 0


def test_what_was_seen_is_what_is_predicted() -> None:
    cost, params = CostModel(), defaults("lightgbm", SMALL)
    for seconds in (2.0, 4.0, 90.0):
        cost.observe("lightgbm", params, SMALL, seconds)
    assert cost.seconds("lightgbm", params, SMALL) == pytest.approx(4.0)


def test_ten_times_the_rows_take_about_ten_times_as_long() -> None:
    cost, params = CostModel(), defaults("xgboost", SMALL)
    cost.observe("xgboost", params, LARGE, 10.0)
    tenfold = cost.seconds("xgboost", params, Shape(1_000_000, 10, 2)) / cost.seconds("xgboost", params, LARGE)
    assert 8 < tenfold < 10


def test_a_slow_machine_is_slow_for_families_that_were_not_seen() -> None:
    cost, params = CostModel(), defaults("lightgbm", LARGE)
    usual = cost.seconds("xgboost", defaults("xgboost", LARGE), LARGE) - OVERHEAD_SECONDS
    work = registry.get("lightgbm").work(params, LARGE)
    cost.observe("lightgbm", params, LARGE, OVERHEAD_SECONDS + 3 * USUAL_SPEEDS["lightgbm"] * work)
    assert cost.seconds("xgboost", defaults("xgboost", LARGE), LARGE) - OVERHEAD_SECONDS == pytest.approx(3 * usual)


def test_a_fit_that_was_cut_short_counts_as_the_whole_one_that_it_was_part_of() -> None:
    cost, params = CostModel(), defaults("lightgbm", LARGE)
    cost.observe("lightgbm", params, LARGE, OVERHEAD_SECONDS + 1.0, trees=30)
    assert cost.seconds("lightgbm", params, LARGE) == pytest.approx(OVERHEAD_SECONDS + 10.0)
    assert cost.seconds("lightgbm", params, LARGE, trees=60) == pytest.approx(OVERHEAD_SECONDS + 2.0)


@pytest.mark.parametrize(
    ("seconds", "trees"), [(OVERHEAD_SECONDS + 10.0, 300), (OVERHEAD_SECONDS + 1.0, 30), (0.0, FEWEST_TREES)]
)
def test_seconds_are_as_many_trees_as_they_are_enough_for(seconds: float, trees: int) -> None:
    cost, params = CostModel(), defaults("lightgbm", LARGE)
    cost.observe("lightgbm", params, LARGE, OVERHEAD_SECONDS + 10.0, trees=300)
    assert cost.trees("lightgbm", params, LARGE, seconds) == trees


def test_a_family_without_trees_has_none_to_count() -> None:
    assert CostModel().trees("linear", defaults("linear", LARGE), LARGE, 10.0) is None
