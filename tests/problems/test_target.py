"""Kind, classes, positive class and refusals, as tables."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl_assets.core.errors import TargetError
from automl_assets.problems.config import ProblemConfig
from automl_assets.problems.target import choose_kind, encode_target, order_classes, target_facts


def chosen(values, kind: str = "auto") -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Kind, classes in order, and the classes left out."""
    facts = target_facts(ds.dataset(pa.table({"y": values})), "y")
    name, problem_type, usable, rare = choose_kind(facts, ProblemConfig(kind=kind))
    return name, problem_type.classes(usable), rare


def days(*numbers: int) -> list[dt.datetime]:
    return [dt.datetime(2020, 1, number) for number in numbers]


@pytest.mark.parametrize(
    ("values", "kind", "classes", "rare"),
    [
        (["no", "yes", "no", "yes", "no"], "binary", ("no", "yes"), ()),
        (["yes"] * 3 + ["no"] * 2, "binary", ("yes", "no"), ()),
        (["a", "b", "a", "b"], "binary", ("a", "b"), ()),
        ([True, False, True, False, False], "binary", ("false", "true"), ()),
        ([0, 1, 1, 0, 1], "binary", ("1", "0"), ()),
        ([0.0, 1.0, 0.0, 1.0, 0.0, None], "binary", ("0", "1"), ()),
        ([1, 2, 1, 2, 9], "binary", ("1", "2"), ("9",)),
        (["a", "b", "c"] * 2, "multiclass", ("a", "b", "c"), ()),
        ([10, 9, 2] * 2, "multiclass", ("2", "9", "10"), ()),
        ([3.0, 1.0, 2.0] * 2, "multiclass", ("1", "2", "3"), ()),
        (["a", "a", "b", "b", "c", "c", "d"], "multiclass", ("a", "b", "c"), ("d",)),
        (list(range(20)) * 2, "multiclass", tuple(str(i) for i in range(20)), ()),
        (list(range(21)) * 2, "regression", (), ()),
        ([0.5, 1.0, 1.0, 2.0], "regression", (), ()),
        ([0.5, 0.5, 1.5, 1.5], "regression", (), ()),
        ([float(i) for i in range(30)], "regression", (), ()),
        ([*range(40), 3, 7], "regression", (), ()),
        ([*range(40), 3, 7, 9], "regression", (), ()),
        (days(1, 2, 1, 2), "binary", ("2020-01-01 00:00:00.000000", "2020-01-02 00:00:00.000000"), ()),
    ],
    ids=str,
)
def test_the_target_decides_the_kind(values: list, kind: str, classes: tuple, rare: tuple) -> None:
    assert chosen(values) == (kind, classes, rare)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([0, 1, 2] * 5, "regression", ("regression", (), ())),
        ([0, 1] * 5, "regression", ("regression", (), ())),
        (list(range(30)) * 2, "multiclass", ("multiclass", tuple(str(i) for i in range(30)), ())),
        ([0.5, 1.5] * 3, "binary", ("binary", ("0.5", "1.5"), ())),
        ([1, 2, 1, 2, 9], "binary", ("binary", ("1", "2"), ("9",))),
    ],
)
def test_a_stated_kind_is_believed_where_it_can_be(values: list, kind: str, expected: tuple) -> None:
    assert chosen(values, kind) == expected


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        (["a", "b", "c"] * 2, "binary", "problem.kind is binary, but it has 3 classes"),
        (["a", "b"] * 2, "multiclass", "problem.kind is multiclass, but it has 2 classes"),
        (["a", "b"] * 2, "regression", "problem.kind is regression, but its values are text, not numbers"),
        (["a", "b", "b"], "binary", "problem.kind is binary, but fewer than two classes have two rows or more"),
        ([i // 2 for i in range(2_002)], "multiclass", "it has more than 1,000 different values"),
    ],
)
def test_a_stated_kind_that_does_not_fit_is_refused(values: list, kind: str, told: str) -> None:
    with pytest.raises(TargetError, match=told):
        chosen(values, kind)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "binry"}, "Unknown problem kind 'binry'. Did you mean 'binary'"),
        ({"metric": "roc_acu"}, "Unknown metric 'roc_acu'. Did you mean 'roc_auc'"),
        ({"kind": "regression", "metric": "log_loss"}, "Unknown metric for regression problems 'log_loss'"),
        ({"holdout_share": 0.0}, "greater than 0"),
        ({"holdout_share": 0.9}, "less than 0.9"),
        ({"costs": {"fp": 1.0}}, "problem.costs"),
        ({"knd": "binary"}, "knd"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_the_yaml_is_read(settings: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ProblemConfig(**settings)


@pytest.mark.parametrize(("kind", "metric"), [("auto", "f1"), ("binary", "auto"), ("multiclass", "log_loss")])
def test_settings_that_make_sense_are_taken(kind: str, metric: str) -> None:
    assert ProblemConfig(kind=kind, metric=metric).metric == metric


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.5, float("inf"), float("-inf")], "The target has 2 infinite values"),
        (pa.array([None, None], pa.float64()), "The target is missing in every row"),
        ([float("nan"), None], "The target is missing in every row"),
        (pa.array([None, None], pa.string()), "The target is missing in every row"),
        ([7, 7, 7], "The target has the same value in every row"),
        (["a", None, "a"], "The target has the same value in every row"),
        ([2.0, float("nan"), 2.0], "The target has the same value in every row"),
        (["a", "b", "c"], "Nothing can be learnt from this target"),
        (["a", "b", "b", "b"], "Nothing can be learnt from this target"),
        ([1, 2, 3], "Nothing can be learnt from this target"),
        ([f"name {i // 2}" for i in range(2_100)], "it has more than 1,000 different values, like an identifier"),
        (days(1, 2, 3, 1, 2, 3), "its values are datetime, not numbers"),
    ],
    ids=str,
)
def test_a_hopeless_target_is_refused_with_the_reason(values, told: str) -> None:
    with pytest.raises(TargetError, match=told) as raised:
        chosen(values)
    assert raised.value.where == "y"
    assert raised.value.exit_code == 2


def test_the_most_frequent_labels_are_kept_where_there_are_very_many() -> None:
    labels = [f"once {i:04d}" for i in range(1_500)] + ["zebra", "zoo", "zero"] * 5
    kind, classes, rare = chosen(labels)
    assert (kind, classes) == ("multiclass", ("zebra", "zero", "zoo"))
    assert set(rare) <= set(labels)


@pytest.mark.parametrize(
    ("values", "rows", "missing", "labels", "fractional"),
    [
        (["a", None, "b"], 3, 1, {"a": 1, "b": 1}, False),
        ([1.0, float("nan"), None, 2.0], 4, 2, {"1": 1, "2": 1}, False),
        ([1.5, 2.0], 2, 0, {"1.5": 1, "2": 1}, True),
    ],
)
def test_facts_count_what_is_there(values, rows: int, missing: int, labels: dict, fractional: bool) -> None:
    facts = target_facts(ds.dataset(pa.table({"y": values})), "y")
    assert (facts.rows, facts.missing, facts.labels, facts.fractional) == (rows, missing, labels, fractional)
    assert facts.distinct == len(labels)


@pytest.mark.parametrize(
    ("positive", "expected"), [(None, ("no", "yes")), ("yes", ("no", "yes")), ("no", ("yes", "no"))]
)
def test_the_positive_class_comes_last(positive: str | None, expected: tuple) -> None:
    assert order_classes(("no", "yes"), positive, "y") == expected


def test_a_positive_label_that_is_no_class_is_refused_with_the_nearest() -> None:
    with pytest.raises(TargetError, match=r"positive_label 'Yes' is no class of the target. Did you mean 'yes'\?"):
        order_classes(("no", "yes"), "Yes", "y")


@pytest.mark.parametrize(
    ("values", "classes", "codes", "usable"),
    [
        (["b", "a", None, "z"], ("a", "b"), [1, 0, -1, -1], [True, True, False, False]),
        ([1, 0], ("0", "1"), [1, 0], [True, True]),
        ([1.0, 0.0, float("nan")], ("0", "1"), [1, 0, -1], [True, True, False]),
    ],
)
def test_labels_become_the_indices_of_their_classes(values, classes: tuple, codes: list, usable: list) -> None:
    encoded, known = encode_target(pa.chunked_array([values]), classes)
    assert encoded.tolist() == codes
    assert known.tolist() == usable


def test_numbers_stay_numbers_and_infinite_or_missing_ones_are_not_usable() -> None:
    encoded, known = encode_target(pa.chunked_array([[1.5, None, float("inf")]]), ())
    np.testing.assert_array_equal(encoded, [1.5, np.nan, np.inf])
    assert known.tolist() == [True, False, False]


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"])), min_size=1, max_size=25))
@settings(max_examples=80, deadline=None)
def test_each_usable_class_has_two_rows_or_the_target_is_refused(values: list) -> None:
    counts = {label: values.count(label) for label in set(values) - {None}}
    enough = sorted(label for label, count in counts.items() if count >= 2)
    try:
        kind, classes, rare = chosen(pa.array(values, pa.string()))
    except TargetError:
        assert len(enough) < 2
        return
    assert sorted(classes) == enough
    assert sorted(rare) == sorted(set(counts) - set(enough))
    assert kind == ("binary" if len(enough) == 2 else "multiclass")
