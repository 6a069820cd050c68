"""The local planner as tables, and plans replayed the same on training rows, later batches and any batch size."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.cleaning.apply import (
    apply_in_batches,
    apply_plan,
    dropped_columns,
    roles_after,
    schema_after,
    text_columns,
)
from automl_assets.cleaning.choose import choose_planner
from automl_assets.cleaning.config import CleaningConfig
from automl_assets.cleaning.local import in_order, plan_cleaning
from automl_assets.cleaning.operations import registry
from automl_assets.core.errors import SchemaError
from automl_assets.core.values import CleaningPlan, PlanStep

MESSY = {
    "price": ["$1,200", " $7 ", "N/A", "$3.50", "$9"] * 4,
    "day": ["31/01/2020", "28/02/2021", None, "15/03/2020", "01/12/2019"] * 4,
    "colour": [" red", "green", "?", "red ", "blue"] * 4,
    "colour_again": ["red", "green", None, "red", "blue"] * 4,
    "country": ["NL"] * 20,
    "size": [1, 2, None, 4, 5] * 4,
    "size_float": [1.0, 2.0, None, 4.0, 5.0] * 4,
    "code": ["007", "042", "100", "003", "999"] * 4,
}
ROLES = dict.fromkeys(MESSY, "categorical") | {"size": "numeric", "size_float": "numeric", "country": "constant"}


def planned(table: dict | pa.Table = MESSY, roles: dict[str, str] | None = None, **options) -> CleaningPlan:
    arrow = pa.table(table)
    return plan_cleaning(
        ds.dataset(arrow), roles or {n: ROLES.get(n, "categorical") for n in arrow.column_names}, **options
    )


def steps_of(plan: CleaningPlan) -> list[tuple[str, str]]:
    return [(step.operation, *step.columns) for step in plan.steps]


def test_every_column_gets_the_operations_that_it_needs_in_order() -> None:
    assert steps_of(planned()) == [
        ("normalise_missing", "price"),
        ("normalise_missing", "colour"),
        ("trim", "price"),
        ("trim", "colour"),
        ("parse_number", "price"),
        ("parse_date", "day"),
        ("drop_constant", "country"),
        ("drop_duplicate", "colour_again"),
        ("drop_duplicate", "size_float"),
    ]


def test_without_structural_only_cells_are_repaired() -> None:
    plan = planned(structural=False)
    assert {operation for operation, _ in steps_of(plan)} == {"normalise_missing", "trim"}
    assert not any(registry.get(step.operation).structural for step in plan.steps)


def test_the_plan_cleans_the_table() -> None:
    clean = apply_plan(planned(), pa.table(MESSY)).slice(0, 5).to_pydict()
    assert clean == {
        "price": [1200, 7, None, 3.5, 9],
        "day": [
            dt.datetime(2020, 1, 31),
            dt.datetime(2021, 2, 28),
            None,
            dt.datetime(2020, 3, 15),
            dt.datetime(2019, 12, 1),
        ],
        "colour": ["red", "green", None, "red", "blue"],
        "size": [1, 2, None, 4, 5],
        "code": ["007", "042", "100", "003", "999"],
    }


def test_each_step_says_why_by_whom_and_how_many_cells() -> None:
    step = planned().steps[0]
    assert (step.reason, step.author, step.changed, step.confidence) == ("N/A mean missing", "local", 4, 1.0)


def test_a_clean_table_needs_nothing() -> None:
    table = {"a": ["x", "y", None], "b": [1, 2, 2]}
    assert planned(table, {"a": "categorical", "b": "numeric"}) == CleaningPlan()


def test_only_columns_with_a_role_are_looked_at() -> None:
    assert steps_of(planned(MESSY, {"colour": "categorical"})) == [("normalise_missing", "colour"), ("trim", "colour")]


def test_a_plan_learns_from_training_rows_alone() -> None:
    table = {"a": [" x", "y", "z", "NA"], "b": ["same", "same", "same", "other"]}
    train = np.array([False, True, True, False])
    assert steps_of(planned(table, {"a": "categorical", "b": "categorical"}, train=train)) == [("drop_constant", "b")]
    everything = planned(table, {"a": "categorical", "b": "categorical"})
    assert steps_of(everything) == [("normalise_missing", "a"), ("trim", "a")]


def test_a_column_that_is_equal_only_once_it_is_clean_is_dropped() -> None:
    plan = planned({"a": ["x", "y", None], "b": [" x", "y", "?"]}, {"a": "categorical", "b": "categorical"})
    assert steps_of(plan)[-1] == ("drop_duplicate", "b")


@pytest.mark.parametrize(
    ("role", "cells", "operations"),
    [
        ("categorical", ["1", "2", "3", "4", "5"], []),
        ("text", ["31/01/2020"] * 3 + ["15/02/2020"] * 3, []),
        ("numeric", ["1", "2", "3", "4", "5"], ["parse_number"]),
        ("datetime", ["31/01/2020"] * 3 + ["15/02/2020"] * 3, ["parse_date"]),
        ("numeric", [1, 2, 3], []),
        ("numeric", [True, False, True], []),
    ],
    ids=str,
)
def test_a_stated_role_is_kept_or_reached(role: str, cells: list, operations: list[str]) -> None:
    plan = planned({"a": cells}, {"a": role}, keep_type=frozenset({"a"}))
    assert [operation for operation, _ in steps_of(plan)] == operations


@pytest.mark.parametrize(
    ("role", "cells", "told"),
    [
        (
            "numeric",
            ["1", "two", "three", "4", "5"],
            "calls 'a' numeric, but it holds text, and only 60% of the cells read",
        ),
        (
            "datetime",
            ["red", "green"] * 5,
            "calls 'a' datetime, but it holds text, and its cells are not shaped like dates",
        ),
        ("datetime", [1, 2, 3], "calls 'a' datetime, but it holds integer"),
    ],
)
def test_a_stated_role_that_the_cells_can_not_have_is_refused(role: str, cells: list, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        planned({"a": cells}, {"a": role}, keep_type=frozenset({"a"}))


def test_a_plan_is_the_same_after_json_and_replays_the_same() -> None:
    plan = planned()
    again = CleaningPlan.model_validate(json.loads(json.dumps(plan.model_dump(mode="json"))))
    assert again == plan
    assert again.data_version() == plan.data_version()
    assert apply_plan(again, pa.table(MESSY)).equals(apply_plan(plan, pa.table(MESSY)))


@pytest.mark.parametrize("size", [1, 3, 20, 100])
def test_a_plan_gives_the_same_table_at_any_batch_size(size: int) -> None:
    table, plan = pa.table(MESSY), planned()
    pieces = list(apply_in_batches(plan, iter(table.to_batches(max_chunksize=size))))
    assert pa.Table.from_batches(pieces).equals(apply_plan(plan, table).combine_chunks())


def test_a_plan_twice_is_the_plan_once_and_leaves_its_input() -> None:
    table, plan = pa.table(MESSY), planned()
    once = apply_plan(plan, table)
    assert apply_plan(plan, once).equals(once)
    assert table.to_pydict() == MESSY


def test_a_step_whose_column_is_absent_is_passed_over() -> None:
    table = pa.table(MESSY).select(["size", "colour"])
    assert apply_plan(planned(), table).column_names == ["size", "colour"]


def test_the_schema_the_roles_and_the_drops_are_known_without_the_rows() -> None:
    schema, plan = pa.table(MESSY).schema, planned()
    assert schema_after(plan, schema) == apply_plan(plan, pa.table(MESSY)).schema
    assert dropped_columns(plan, schema) == ("colour_again", "country", "size_float")
    assert roles_after(plan, {**ROLES, "other": "id"}) == {
        "price": "numeric", "day": "datetime", "colour": "categorical", "size": "numeric", "code": "categorical",
        "other": "id",
    }  # fmt: skip
    assert text_columns(schema) == ["price", "day", "colour", "colour_again", "country", "code"]


def test_operations_come_in_their_order_and_structural_ones_on_request() -> None:
    assert [name for name, _ in in_order(False)] == ["normalise_missing", "trim"]
    orders = [operation.order for _, operation in in_order(True)]
    assert orders == sorted(orders)
    assert len(orders) == len(registry.names())


@pytest.mark.parametrize("mode", ["local", "hybrid", "agent"])
def test_the_local_planner_does_it_and_says_why(mode) -> None:
    planner, why = choose_planner(CleaningConfig(mode=mode))
    assert planner == "local"
    assert f"cleaning.mode is {mode}" in why


WORDS = st.one_of(
    st.none(), st.sampled_from([" a", "a", "NA", "?", "1", "2,5", "", " ", "31/01/2020"]), st.text(max_size=4)
)


@given(
    st.lists(st.tuples(WORDS, WORDS, st.one_of(st.none(), st.integers(0, 2))), min_size=1, max_size=25),
    st.integers(1, 7),
)
@settings(max_examples=50, deadline=None)
def test_any_table_can_be_planned_and_replayed_in_any_batches(rows: list, size: int) -> None:
    a, b, c = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"a": pa.array(a, pa.string()), "b": pa.array(b, pa.string()), "c": pa.array(c, pa.int64())})
    plan = plan_cleaning(ds.dataset(table), {"a": "categorical", "b": "categorical", "c": "numeric"})
    assert isinstance(plan, CleaningPlan)
    assert all(isinstance(step, PlanStep) and step.reason for step in plan.steps)
    whole = apply_plan(plan, table)
    pieces = list(apply_in_batches(plan, iter(table.to_batches(max_chunksize=size))))
    if whole.num_columns:
        assert pa.Table.from_batches(pieces, whole.schema).to_pydict() == whole.to_pydict()
    assert schema_after(plan, table.schema) == whole.schema
    assert apply_plan(plan, whole).to_pydict() == whole.to_pydict()
