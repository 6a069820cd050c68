import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.errors import SchemaError, TargetError
from automl_assets.core.values import HoldoutRule, Problem, Role
from automl_assets.learn.features import Recipe
from automl_assets.tuning.study_data import StudyData, study_data

RULE = HoldoutRule(kind="hash", columns=(), salt="", share=0.2, target="y")


def data_of(
    table: pa.Table, *, classes: tuple[str, ...] = (), features: tuple[str, ...] = ("x",), **parts: Role
) -> StudyData:
    """Study data of a table with a target `y`; `parts` gives other columns' roles."""
    problem = Problem(
        kind="multiclass" if classes else "regression",
        metric="log_loss" if classes else "rmse",
        target="y",
        classes=classes,
        roles={**dict.fromkeys(features, "numeric"), **parts},
        holdout=RULE,
        train_rows=table.num_rows,
        holdout_rows=0,
    )
    return study_data(ds.dataset(table), problem, roles=dict.fromkeys(features, "numeric"), seed=0)


def test_rows_without_a_usable_target_are_left_out() -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", None, "rare", "b"]})

    data = data_of(table, classes=("a", "b"))

    assert data.table.column("x").to_pylist() == [1.0, 4.0]
    assert data.y.tolist() == [0, 1]
    told = {"metric": "log_loss", "roles": {"x": "numeric"}, "classes": ["a", "b"]}
    assert data.settings("log_loss") == {**told, "recipe": Recipe().model_dump(mode="json")}
    recipe = Recipe(scaler="robust", custom=("a.b:C",))
    assert Recipe(**data.settings("log_loss", recipe)["recipe"]) == recipe


def test_a_target_that_is_never_there_is_refused() -> None:
    with pytest.raises(TargetError, match="No training row has a target"):
        data_of(pa.table({"x": [1.0], "y": pa.array([None], pa.float64())}))


def test_every_fold_judges_about_a_fifth() -> None:
    data = data_of(pa.table({"x": np.arange(100.0), "y": np.arange(100.0)}))

    assert data.fold_count == 5
    assert np.bincount(data.folds).tolist() == [20, 20, 20, 20, 20]


def test_equal_rows_share_a_fold() -> None:
    data = data_of(pa.table({"x": np.tile(np.arange(50.0), 3), "y": np.arange(150.0)}))

    assert (data.folds[:50] == data.folds[50:100]).all()
    assert (data.folds[:50] == data.folds[100:]).all()


def test_rows_of_a_group_share_a_fold() -> None:
    groups = [f"person {i % 12}" for i in range(120)]
    data = data_of(pa.table({"x": np.arange(120.0), "g": groups, "y": np.arange(120.0)}), g="group")

    assert {len(set(data.folds[[g == name for g in groups]])) for name in set(groups)} == {1}
    assert data.fold_count == 5


def test_few_groups_make_few_folds_and_one_group_is_refused() -> None:
    columns = {"x": np.arange(40.0), "y": np.arange(40.0)}
    assert data_of(pa.table({**columns, "g": ["a", "b"] * 20}), g="group").fold_count == 2

    with pytest.raises(SchemaError, match="one group"):
        data_of(pa.table({**columns, "g": ["a"] * 40}), g="group")


@pytest.mark.parametrize(
    ("times", "judges"),
    [
        (pa.array(range(10)), [8, 9]),
        (pa.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]), [0, 1]),
        (pa.array(range(10), pa.timestamp("us")), [8, 9]),
        (pa.array([f"2024 week {i}" for i in range(10)]), [8, 9]),
        (pa.array([None, 1, 2, 3, 4, 5, 6, 7, 8, 9]), [8, 9]),
        (pa.array([None, *(f"2024 week {i}" for i in range(1, 10))]), [8, 9]),
    ],
)
def test_with_a_time_the_newest_rows_judge_and_none_after_them_teaches(times: pa.Array, judges: list[int]) -> None:
    data = data_of(pa.table({"x": np.arange(10.0), "t": times, "y": np.arange(10.0)}), t="time")

    assert np.flatnonzero(data.folds == 0).tolist() == judges
    assert data.fold_count == 1
    assert set(data.folds) == {-1, 0}


def test_a_missing_weight_counts_for_nothing() -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "w": [2.0, None, 1.0], "y": [1.0, 2.0, 3.0]})

    weight = data_of(table, w="weight").weight

    assert weight is not None
    assert weight.tolist() == [2.0, 0.0, 1.0]
    assert data_of(table).weight is None
