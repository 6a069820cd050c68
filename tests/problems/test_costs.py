import numpy as np
import pytest
from pydantic import ValidationError

from automl_assets.core.errors import TargetError
from automl_assets.problems.config import ProblemConfig
from automl_assets.problems.costs import cost_matrix, weights_of_classes


@pytest.mark.parametrize(
    ("costs", "classes", "expected"),
    [
        (None, ("no", "yes"), ()),
        ({"false_positive": 5, "false_negative": 100}, ("no", "yes"), ((0, 5), (100, 0))),
        (
            {"false_positive": 5, "false_negative": 100, "true_positive": -20, "true_negative": -1},
            ("no", "yes"),
            ((-1, 5), (100, -20)),
        ),
        ({"churned": {"stayed": 100}, "stayed": {"churned": 5}}, ("stayed", "churned"), ((0, 5), (100, 0))),
        ({0: {1: 5}, 1: {0: 100, 1: -2}}, ("0", "1"), ((0, 5), (100, -2))),
        ({True: {False: 7}, False: {True: 1}}, ("false", "true"), ((0, 1), (7, 0))),
        (
            {"a": {"b": 1, "c": 2}, "b": {"a": 3, "c": 4}, "c": {"a": 5, "b": 0}},
            ("a", "b", "c"),
            ((0, 1, 2), (3, 0, 4), (5, 0, 0)),
        ),
    ],
)
def test_costs_are_in_the_order_of_the_classes(costs, classes, expected) -> None:  # type: ignore[no-untyped-def]
    stated = ProblemConfig(costs=costs).costs

    assert cost_matrix(stated, classes, where="y") == expected


@pytest.mark.parametrize(
    ("costs", "classes", "told"),
    [
        ({"false_positive": 5}, ("no", "yes"), r"nothing of 'yes' predicted as 'no'.*Add false_negative"),
        ({"yes": {"no": 5}, "no": {"yse": 1}}, ("no", "yes"), r"'yse', which is no class.*Did you mean 'yes'\?"),
        ({"a": {"b": 1}, "b": {"a": 1}}, ("a", "b", "c"), r"nothing of 'a' predicted as 'c'"),
        ({"false_positive": 1, "false_negative": 1}, ("a", "b", "c"), r"for two classes; the target has 3"),
        (
            {"false_positive": 5, "false_negative": 1, "true_positive": 3},
            ("no", "yes"),
            r"no more than predicted rightly",
        ),
        ({"false_positive": 5, "false_negative": 1}, (), r"the target is a number"),
    ],
)
def test_costs_that_do_not_fit_the_classes_are_refused(costs, classes, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TargetError, match=told):
        cost_matrix(ProblemConfig(costs=costs).costs, classes, where="y")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"costs": {"false_positiv": 1.0}}, "did you mean 'false_positive'"),
        ({"costs": {}}, "either by outcome"),
        ({"costs": {"false_positive": float("inf")}}, "finite"),
        ({"costs": {"false_positive": 1, "false_negative": 2}, "kind": "regression"}, "a regression predicts a number"),
        ({"class_weights": "balanced", "kind": "regression"}, "problem.class_weights are for classes"),
        ({"class_weights": {"yes": 0}}, "greater than 0"),
        ({"class_weights": "heavy"}, "balanced"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(config: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ProblemConfig.model_validate(config)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(None, ()), ("balanced", (4 / 6, 2.0)), ({"yes": 3}, (1.0, 3.0)), ({"yes": 3, "no": 0.5}, (0.5, 3.0))],
)
def test_class_weights_are_in_the_order_of_the_classes(stated, expected) -> None:  # type: ignore[no-untyped-def]
    y = np.array([0, 0, 0, 1])

    assert weights_of_classes(stated, y, ("no", "yes"), where="y") == pytest.approx(expected)


def test_class_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TargetError, match=r"'yess', which is no class of the target.*Did you mean 'yes'\?"):
        weights_of_classes({"yess": 2.0}, np.array([0, 1]), ("no", "yes"), where="y")
    with pytest.raises(TargetError, match="the target is a number"):
        weights_of_classes("balanced", np.array([0.5]), (), where="y")
