"""Drawing the rule: about the share asked for, at most 50,000 rows, equal rows and groups together, deterministic."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.values import HoldoutRule
from automl_assets.learn.split import in_holdout
from automl_assets.problems.config import ColumnsConfig
from automl_assets.problems.holdout import draw_holdout
from automl_assets.problems.types import registry


def draw(
    table: pa.Table,
    kind: str = "binary",
    *,
    share: float = 0.2,
    salt: str = "pipeline",
    ids: tuple[str, ...] = (),
    usable: np.ndarray | None = None,
    **columns: Any,
) -> tuple[HoldoutRule, np.ndarray]:
    """The rule, and which rows it holds out."""
    dataset = ds.dataset(table)
    rule = draw_holdout(
        dataset,
        target="y",
        usable=np.full(table.num_rows, True) if usable is None else usable,
        kind=registry.get(kind),
        columns=ColumnsConfig(**columns),
        ids=list(ids),
        share=share,
        salt=salt,
    )
    return rule, in_holdout(dataset, rule)


def table_of(rows: int, seed: int = 0) -> pa.Table:
    generator = np.random.default_rng(seed)
    return pa.table({"a": generator.normal(size=rows), "b": generator.integers(0, 9, rows), "y": np.arange(rows) % 2})


@pytest.mark.parametrize("rows", [100, 1_000, 20_000])
@pytest.mark.parametrize("kind", registry.names())
def test_about_a_fifth_is_held_out(kind: str, rows: int) -> None:
    rule, held = draw(table_of(rows), kind)
    assert held.mean() == pytest.approx(0.2, abs=0.03)
    assert (rule.kind, rule.columns) == ("hash", ("a", "b"))


@pytest.mark.parametrize(
    ("ids", "columns"),
    [((), {}), ((), {"id": ["a"]}), ((), {"group": "a"}), ((), {"time": "a"})],
    ids=["hash", "id", "group", "time"],
)
def test_at_most_50_000_rows_are_held_out_of_many(ids: tuple, columns: dict) -> None:
    table = pa.table({"a": np.arange(400_000), "y": np.arange(400_000) % 2})
    _, held = draw(table, ids=ids, **columns)
    assert 49_900 <= held.sum() <= 50_000


def test_the_same_table_draws_the_same_rule_whatever_its_order() -> None:
    table = table_of(500)
    rule, held = draw(table)
    order = np.random.default_rng(1).permutation(500)
    again, shuffled = draw(table.take(pa.array(order)))
    assert again == rule
    assert shuffled.tolist() == held[order].tolist()


def test_another_pipeline_holds_out_other_rows() -> None:
    _, one = draw(table_of(500), salt="one")
    _, other = draw(table_of(500), salt="other")
    assert 0.1 < (one & other).sum() / one.sum() < 0.35


def test_equal_rows_stay_together_even_where_an_identifier_tells_them_apart() -> None:
    table = table_of(300)
    twice = pa.concat_tables([table, table]).append_column("ticket", pa.array(np.arange(600)))
    rule, held = draw(twice, ids=("ticket",))
    assert rule.columns == ("a", "b")
    assert held[:300].tolist() == held[300:].tolist()


@pytest.mark.parametrize(
    "columns", [{"exclude": ["b"]}, {"weight": "b"}, {"roles": {"b": "excluded"}}, {"roles": {"b": "id"}}], ids=str
)
def test_columns_that_are_no_features_do_not_decide(columns: dict) -> None:
    rule, _ = draw(table_of(100), **columns)
    assert rule.columns == ("a",)


@pytest.mark.parametrize("groups", [2, 3, 5, 10, 50])
def test_a_group_stands_on_one_side_and_few_groups_on_both(groups: int) -> None:
    generator = np.random.default_rng(groups)
    patients = generator.integers(0, groups, 600)
    table = pa.table({"patient": patients, "a": generator.normal(size=600), "y": np.arange(600) % 2})
    for salt in ("a", "b", "c", "d", "e"):
        rule, held = draw(table, group="patient", salt=salt)
        assert (rule.kind, rule.columns) == ("key", ("patient",))
        assert not set(patients[held]) & set(patients[~held])
        assert 0 < held.sum() < 600
        if groups >= 50:
            assert held.mean() == pytest.approx(0.2, abs=0.05)


def test_later_rows_of_a_group_join_its_side() -> None:
    table = pa.table({"patient": np.arange(200) % 40, "a": np.arange(200.0), "y": np.arange(200) % 2})
    rule, held = draw(table, group="patient")
    later = pa.table({"patient": np.arange(80), "a": np.arange(80.0) + 1_000})
    sides = in_holdout(ds.dataset(later), rule)
    assert sides[:40].tolist() == held[:40].tolist()
    assert sides[40:].any()


def test_a_stated_identifier_draws_by_itself() -> None:
    table = table_of(1_000).append_column("customer", pa.array([f"c{i}" for i in range(1_000)]))
    rule, held = draw(table, id=["customer"])
    assert (rule.kind, rule.columns) == ("key", ("customer",))
    assert held.sum() == 200


@pytest.mark.parametrize(
    ("times", "newest_from", "held"),
    [
        (list(range(10)), "8", 2),
        ([1.5, 2.5, 3.5, 4.5, float("nan")], "4.5", 1),
        (["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-01-05"], "2020-01-05", 1),
        ([1, 1, 1, 1, 1, 1, 1, 1, 2, 2], "2", 2),
        ([1] + [2] * 9, "2", 9),
        ([1] * 7 + [2, 3, 3], "3", 2),
        ([None, *range(10)], "8", 2),
        ([7] * 10, None, 0),
    ],
    ids=str,
)
def test_with_a_time_the_newest_window_is_held_out(times: list, newest_from: str | None, held: int) -> None:
    table = pa.table({"t": times, "y": np.arange(len(times)) % 2})
    rule, mask = draw(table, time="t")
    assert (rule.kind, rule.newest_from) == ("time", newest_from)
    assert mask.sum() == held


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_date_is_stored_so_that_its_column_reads_it_back(zone: str | None) -> None:
    table = pa.table({"t": pa.array(np.arange(10) * 10**9, pa.timestamp("us", tz=zone)), "y": np.arange(10) % 2})
    rule, mask = draw(table, time="t")
    assert rule.newest_from == "1970-01-01T02:13:20" + ("+00:00" if zone else "")
    assert mask.tolist() == [False] * 8 + [True] * 2


def test_the_newest_rows_that_have_no_target_yet_do_not_take_the_holdout() -> None:
    table = pa.table({"t": np.arange(100), "y": np.arange(100) % 2})
    usable = np.arange(100) < 70
    _, held = draw(table, time="t", usable=usable)
    assert (held & usable).sum() == 14


def test_regression_is_stratified_by_deciles() -> None:
    generator = np.random.default_rng(0)
    y = generator.lognormal(size=3_000)
    rule, held = draw(pa.table({"a": np.arange(3_000), "y": y}), "regression")
    assert rule.strata == "quantile"
    assert len(rule.boundaries) == 9
    np.testing.assert_allclose(np.quantile(y[held], [0.25, 0.5, 0.75]), np.quantile(y, [0.25, 0.5, 0.75]), rtol=0.1)


def test_a_small_regression_has_every_decile_on_both_sides() -> None:
    y = np.arange(60.0) + 0.5
    rule, held = draw(pa.table({"a": np.arange(60), "y": y}), "regression")
    strata = np.searchsorted(rule.boundaries, y, side="right")
    for decile in range(10):
        assert 0 < held[strata == decile].sum() < (strata == decile).sum()


def test_a_holdout_of_rows_without_columns_to_tell_them_apart_is_empty() -> None:
    _, held = draw(pa.table({"ticket": np.arange(50), "y": np.arange(50) % 2}), ids=("ticket",))
    assert not held.any()
