"""Values: equal when their contents are, the same after a file, and versioned by contents alone."""

import hashlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl_assets.core.errors import StorageError
from automl_assets.core.values import (
    Batch,
    Column,
    ColumnProfile,
    Finding,
    HoldoutRule,
    PlanStep,
    Problem,
    QualityReport,
    TableHandle,
    TrainingWindow,
    Value,
    value_from_document,
)

text = st.text(max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False, width=64)
kind = st.sampled_from(["integer", "number", "boolean", "datetime", "text"])
columns = st.builds(Column, name=text, type=kind)
handles = st.builds(
    TableHandle, path=text, digest=text, rows=st.integers(0, 10**9), columns=st.lists(columns, max_size=4).map(tuple)
)
findings = st.builds(
    Finding,
    code=text,
    severity=st.sampled_from(["info", "warning", "error"]),
    column=st.none() | text,
    examples=st.lists(text, max_size=3).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
steps = st.builds(
    PlanStep,
    operation=text,
    columns=st.lists(text, max_size=3).map(tuple),
    params=st.dictionaries(text, json_values, max_size=3),
    reason=text,
)
profiles = st.builds(
    ColumnProfile,
    name=text,
    type=kind,
    role=text,
    missing_share=number,
    distinct=st.integers(0, 10**6),
    minimum=st.none() | number,
    top=st.lists(st.tuples(text, st.integers(0, 99)), max_size=3).map(tuple),
)
reports = st.builds(
    QualityReport,
    rows=st.integers(0, 10**9),
    columns=st.lists(profiles, max_size=2).map(tuple),
    score=number,
    components=st.dictionaries(text, number, max_size=3),
    findings=st.lists(findings, max_size=2).map(tuple),
)
windows = st.builds(
    TrainingWindow,
    batches=st.lists(st.builds(Batch, key=text, table=handles), max_size=3).map(tuple),
    excluded=st.lists(st.tuples(text, text), max_size=2).map(tuple),
)
values = st.one_of(columns, handles, findings, steps, reports, windows)


@settings(max_examples=60, deadline=None)
@given(values)
def test_a_value_comes_back_equal_from_a_file(value: Value) -> None:
    back = value_from_document(json.loads(json.dumps(value.to_document())))
    assert back == value
    assert type(back) is type(value)
    assert back.data_version() == value.data_version()


@settings(max_examples=60, deadline=None)
@given(findings, findings)
def test_two_values_have_one_version_exactly_when_they_are_equal(first: Finding, second: Finding) -> None:
    assert (first.data_version() == second.data_version()) == (first == second)


def test_a_version_is_the_128_bit_blake2b_of_the_sorted_json() -> None:
    digest = hashlib.blake2b(b'{"name":"age","type":"integer"}', digest_size=16).hexdigest()
    assert Column(type="integer", name="age").data_version() == digest


def test_the_order_in_which_a_dictionary_was_filled_does_not_matter() -> None:
    a = PlanStep(operation="o", columns=("x",), params={"a": 1, "b": 2}, reason="r")
    b = PlanStep(operation="o", columns=("x",), params={"b": 2, "a": 1}, reason="r")
    assert a.data_version() == b.data_version()


def handle(digest: str) -> TableHandle:
    return TableHandle(path="p", digest=digest, rows=1, size_bytes=1, columns=(Column(name="x", type="text"),))


def test_a_window_s_version_is_that_of_its_tables_so_a_renamed_batch_changes_nothing() -> None:
    window = TrainingWindow(batches=(Batch(key="a.csv", table=handle("1")),), rows=1)
    renamed = TrainingWindow(batches=(Batch(key="b.csv", table=handle("1")),), excluded=(("c", "why"),), rows=1)
    other = TrainingWindow(batches=(Batch(key="a.csv", table=handle("2")),), rows=1)
    assert window.data_version() == renamed.data_version()
    assert window.data_version() != other.data_version()


@pytest.mark.parametrize("name", sorted(Value.kinds))
def test_every_kind_is_frozen_and_closed(name: str) -> None:
    config = Value.kinds[name].model_config
    assert config.get("frozen") is True
    assert config.get("extra") == "forbid"


def test_a_value_can_t_be_changed() -> None:
    column = Column(name="age", type="integer")
    with pytest.raises(ValidationError, match="frozen"):
        column.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"kind": "Hologram", "value": {}}, "unknown kind 'Hologram'"),
        ({"value": {}}, "unknown kind None"),
        ({"kind": "Column", "value": {"name": "a", "type": "text", "new": 1}}, "another shape"),
        ({"kind": "Column", "value": {"name": "a"}}, "another shape"),
        ({"kind": "Column"}, "another shape"),
    ],
)
def test_what_another_version_wrote_is_refused_with_the_command(document: dict, told: str) -> None:
    with pytest.raises(StorageError, match=told) as refused:
        value_from_document(document, where="v.json")
    assert refused.value.where == "v.json"
    assert "--force" in (refused.value.remedy or "")


def problem() -> Problem:
    roles = {"id": "id", "age": "numeric", "plan": "categorical", "when": "datetime", "note": "text", "y": "target"}
    rule = HoldoutRule(kind="hash", columns=("age",), salt="s", share=0.2, target="y")
    return Problem(kind="binary", metric="roc_auc", target="y", roles=roles, holdout=rule, train_rows=8, holdout_rows=2)


def test_features_are_the_columns_that_a_model_may_use() -> None:
    assert problem().features() == ("age", "plan", "when", "note")
    assert problem().feature_roles() == {
        "age": "numeric",
        "plan": "categorical",
        "when": "datetime",
        "note": "text",
    }


def test_columns_are_found_by_their_role() -> None:
    assert problem().column_with("target") == "y"
    assert problem().column_with("weight") is None
    assert problem().columns_with("id") == ("id",)


def test_an_infinite_parameter_stays_infinite() -> None:
    step = PlanStep(operation="o", columns=(), params={"limit": math.inf}, reason="r")
    assert step.data_version() == step.data_version()
    assert value_from_document(json.loads(json.dumps(step.to_document()))) == step
