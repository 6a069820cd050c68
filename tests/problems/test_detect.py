"""From a table to a problem: kind, metric, positive class, roles, rows, findings and checks."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from pydantic import ValidationError

from automl_assets.core.errors import SchemaError, TargetError, UnknownNameError
from automl_assets.core.values import Problem, value_from_document
from automl_assets.problems.config import ColumnsConfig
from automl_assets.problems.detect import holdout_mask, training_mask
from tests.problems.tables import failed, understood, with_target

ROWS = 300
GENERATOR = np.random.default_rng(0)
WORDS = np.array(["a slow day at the office", "rain in the hills again", "nothing to report from here"])


@pytest.mark.parametrize(
    ("values", "kind", "metric", "positive"),
    [
        (["no", "yes", "no"] * 100, "binary", "roc_auc", "yes"),
        ([0, 1, 1] * 100, "binary", "roc_auc", "0"),
        ([True, False, False] * 100, "binary", "roc_auc", "true"),
        (["a", "b", "c"] * 100, "multiclass", "log_loss", None),
        (list(range(6)) * 50, "multiclass", "log_loss", None),
        ([7 * i % 300 for i in range(300)], "regression", "rmse", None),
        ([0.5, 1.5, 2.0] * 100, "regression", "rmse", None),
    ],
    ids=["words", "numbers", "booleans", "three words", "few numbers", "many numbers", "fractions"],
)
def test_kind_metric_and_positive_class_follow_from_the_target(values: list, kind: str, metric: str, positive) -> None:
    problem = understood(with_target(values))
    assert (problem.kind, problem.metric, problem.positive_label) == (kind, metric, positive)
    assert failed(problem) == set()


def test_what_is_stated_is_believed() -> None:
    problem = understood(with_target(["no", "yes", "no"] * 100), metric="f1", positive_label="no", holdout_share=0.4)
    assert (problem.metric, problem.positive_label, problem.classes) == ("f1", "no", ("yes", "no"))
    assert problem.holdout_rows == pytest.approx(120, abs=10)


@pytest.mark.parametrize(
    ("name", "column", "role", "reason"),
    [
        ("size", GENERATOR.normal(size=ROWS), "numeric", "number, 238 different values"),
        ("rooms", np.arange(ROWS) % 5, "numeric", "integer, 5 different values"),
        ("colour", ["red", "green", "blue"] * 100, "categorical", "3 different values"),
        ("flag", [True, False, None] * 100, "categorical", "true or false"),
        ("when", [dt.datetime(2020, 1, 1 + i % 28) for i in range(ROWS)], "datetime", "dates or times"),
        ("note", [f"{WORDS[i % 3]} {i}" for i in range(ROWS)], "text", "words a cell"),
        ("customerID", [f"C-{i:05d}" for i in range(ROWS)], "id", "unique, and named, numbered or coded"),
        ("row_number", np.arange(ROWS), "id", "unique, and named, numbered or coded"),
        ("version", ["1.0"] * ROWS, "constant", "the same value in every row"),
        ("nothing", pa.nulls(ROWS, pa.string()), "constant", "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_columns_role_follows_from_its_values(name: str, column, role: str, reason: str) -> None:
    problem = understood(with_target(["no", "yes", "no"] * 100, **{name: column}))
    assert problem.roles == {"x": "numeric", name: role, "y": "target"}
    assert reason in problem.role_reasons[name]
    assert (name in problem.features()) == (role in ("numeric", "categorical", "datetime", "text"))


@pytest.mark.parametrize(
    ("columns", "role"),
    [
        ({"roles": {"c": "categorical"}}, "categorical"),
        ({"roles": {"c": "id"}}, "id"),
        ({"exclude": ["c"]}, "excluded"),
        ({"id": ["c"]}, "id"),
        ({"group": "c"}, "group"),
        ({"time": "c"}, "time"),
        ({"weight": "c"}, "weight"),
        ({"private": ["c"], "sensitive": ["c"]}, "numeric"),
    ],
    ids=str,
)
def test_a_stated_part_overrides_what_the_values_look_like(columns: dict, role: str) -> None:
    problem = understood(with_target(["no", "yes", "no"] * 100, c=np.arange(ROWS) % 50), columns=columns)
    assert problem.roles["c"] == role
    if columns.get("private") is None:
        assert problem.role_reasons["c"] == "stated"


def test_roles_are_read_from_training_rows_only() -> None:
    """A column that varies in the holdout alone has nothing to learn from."""
    table = pa.table({"t": np.arange(100), "x": np.arange(100.0), "late": [1] * 80 + [2] * 20, "y": [0, 1] * 50})
    problem = understood(table, columns={"time": "t"})
    assert (problem.holdout_rows, problem.roles["late"]) == (20, "constant")


@pytest.mark.parametrize(
    ("columns", "target", "told"),
    [
        ({}, "Y", r"target names the column 'Y', which the table does not have. Did you mean 'y'\?"),
        ({"exclude": ["xx"]}, "y", r"columns.exclude names the column 'xx'.* Columns: x, y"),
        ({"time": "date"}, "y", "columns.time names the column 'date'"),
        ({"group": "g"}, "y", "columns.group names the column 'g'"),
        ({"weight": "w"}, "y", "columns.weight names the column 'w'"),
        ({"roles": {"z": "numeric"}}, "y", "columns.roles names the column 'z'"),
        ({"private": ["p"]}, "y", "columns.private names the column 'p'"),
    ],
)
def test_a_column_that_is_not_there_is_told_with_the_key_that_names_it(columns: dict, target: str, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        understood(with_target([0, 1] * 50), target, columns=columns)


def test_time_and_group_can_not_both_decide_the_holdout() -> None:
    with pytest.raises(ValidationError, match="can't both decide the holdout"):
        ColumnsConfig(time="t", group="g")


def test_a_metric_of_another_kind_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Unknown metric for binary problems 'rmse'"):
        understood(with_target([0, 1] * 50), metric="rmse")


def test_a_positive_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(TargetError, match="'maybe' is no class of the target"):
        understood(with_target(["no", "yes"] * 50), positive_label="maybe")


def test_a_class_too_rare_to_split_is_left_out_and_told() -> None:
    problem = understood(with_target(["a", "b"] * 50 + ["once"]))
    assert (problem.kind, problem.classes, problem.dropped_classes) == ("binary", ("a", "b"), ("once",))
    assert problem.train_rows + problem.holdout_rows == 100
    assert [(finding.code, finding.examples) for finding in problem.findings] == [("rare_classes", ("once",))]


def test_a_class_too_rare_to_split_is_no_reason_to_refuse_unless_fewer_than_two_remain() -> None:
    with pytest.raises(TargetError, match="fewer than two classes have two rows or more"):
        understood(with_target(["a"] * 50 + ["once", "never again"]))


def test_rows_without_a_target_neither_teach_nor_judge() -> None:
    table = with_target(pa.array(["a", "b", None] * 100))
    problem = understood(table)
    assert problem.train_rows + problem.holdout_rows == 200
    assert [(finding.code, finding.count) for finding in problem.findings] == [("missing_target", 100)]
    train, held = training_mask(ds.dataset(table), problem), holdout_mask(ds.dataset(table), problem)
    assert (train.sum(), held.sum()) == (problem.train_rows, problem.holdout_rows)
    assert not (train & held).any()
    assert not (train | held)[2::3].any()


@pytest.mark.parametrize(
    ("table", "checks"),
    [
        (with_target([0, 1] * 50), set()),
        (with_target([0, 1] * 11), {"enough_rows_to_judge"}),
        (pa.table({"ticket_id": np.arange(100), "y": [0, 1] * 50}), {"enough_rows_to_judge", "has_features"}),
        (pa.table({"x": [1] * 100, "y": [0, 1] * 50}), {"enough_rows_to_judge", "has_features"}),
        (with_target([0, 1, 1] * 100, copy=[5, 6, 6] * 100), {"no_certain_leak"}),
    ],
    ids=["good", "too few rows", "identifiers alone", "constants alone", "a copy of the target"],
)
def test_each_blocking_check_has_a_table_that_fails_it(table: pa.Table, checks: set[str]) -> None:
    problem = understood(table)
    assert failed(problem) == checks
    assert {check.name: check.blocking for check in problem.checks} == {
        "enough_rows_to_judge": True,
        "has_features": True,
        "no_certain_leak": True,
        "no_suspected_leak": False,
    }


def test_a_rule_that_was_kept_decides_for_a_grown_table() -> None:
    table = with_target([0, 1] * 100)
    first = understood(table)
    grown = pa.concat_tables([table, with_target([0, 1] * 100).slice(0, 50)])
    second = understood(grown, kept_rule=first.holdout)
    assert second.holdout == first.holdout
    before, after = (holdout_mask(ds.dataset(t), first) for t in (table, grown))
    assert after[:200].tolist() == before.tolist()


def test_a_window_in_time_moves_on_with_the_newest_rows() -> None:
    def table(rows: int) -> pa.Table:
        return with_target([0, 1] * (rows // 2), t=np.arange(rows))

    first = understood(table(100), columns={"time": "t"})
    second = understood(table(200), columns={"time": "t"}, kept_rule=first.holdout)
    assert (first.holdout.newest_from, second.holdout.newest_from) == ("80", "160")


def test_a_problem_is_the_same_after_json() -> None:
    problem = understood(with_target([0, 1] * 100, copy=[5, 6] * 100))
    again = value_from_document(problem.to_document())
    assert isinstance(again, Problem)
    assert again == problem
    assert again.data_version() == problem.data_version()


def test_the_same_table_is_the_same_problem_and_another_name_moves_the_holdout() -> None:
    table = with_target([0, 1] * 100)
    assert understood(table) == understood(table)
    assert understood(table, name="other").holdout != understood(table).holdout
