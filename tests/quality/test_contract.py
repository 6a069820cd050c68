"""Data contracts: read, suggested and checked."""

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import ConfigError
from automl_assets.quality.contract import Contract, check_contract, read_contract, suggest_contract
from automl_assets.quality.report import assess
from tests.quality.tables import dataset

TABLE = dataset(age=[18, 40, None, 99], plan=["basic", "plus", "basic", None], mail=["a@x", "b@x", "c@x", "d@x"])
INF = float("inf")


def contract(columns: dict | None = None, rows: dict | None = None) -> Contract:
    return Contract.model_validate({"columns": columns or {}, "rows": rows or {}})


@pytest.mark.parametrize(
    ("columns", "rows", "told"),
    [
        ({"age": {"type": "text"}}, {}, "age: it holds integer, not text"),
        ({"age": {"minimum": 19}}, {}, "age: values below 19"),
        ({"age": {"maximum": 98}}, {}, "age: values above 98"),
        ({"age": {"most_missing": 0.2}}, {}, "age: 25.0% missing, at most 20.0% may be"),
        ({"plan": {"values": ["basic"]}}, {}, "plan: 1 values that are not on the list"),
        ({"plan": {"unique": True}}, {}, "plan: values repeat"),
        ({"city": {}}, {}, "city is missing"),
        ({}, {"least": 5}, "4 rows, at least 5 are asked for"),
        ({}, {"most": 3}, "4 rows, at most 3 are allowed"),
        ({"city": {}, "age": {"minimum": 19}}, {}, "city is missing; age: values below 19"),
    ],
)
def test_a_broken_promise_is_told_without_a_cell_s_value(columns: dict, rows: dict, told: str) -> None:
    outcome = check_contract(contract(columns, rows), TABLE)
    assert (outcome.name, outcome.passed, outcome.blocking, outcome.description) == ("contract", False, True, told)


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ({}, {}),
        ({"age": {"type": "integer", "minimum": 18, "maximum": 99, "most_missing": 0.25}}, {}),
        ({"age": {"type": "number"}}, {}),
        ({"plan": {"values": ["basic", "plus", "other"]}}, {}),
        ({"mail": {"unique": True, "type": "text"}}, {}),
        ({"city": {"required": False}}, {}),
        ({}, {"least": 4, "most": 4}),
    ],
)
def test_a_kept_contract_passes(columns: dict, rows: dict) -> None:
    outcome = check_contract(contract(columns, rows), TABLE)
    assert outcome.passed
    assert outcome.description == "The contract is kept."


def test_the_list_of_broken_promises_is_bounded() -> None:
    outcome = check_contract(contract({f"c{i}": {} for i in range(11)}), TABLE)
    assert outcome.description.endswith("c7 is missing; and 3 more")


def test_infinities_are_missing_values_and_no_extremes() -> None:
    assert check_contract(contract({"x": {"maximum": 2}}), dataset(x=[1.0, INF])).passed


def test_a_contract_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("columns:\n  age: {type: integer, minimum: 18}\nrows: {least: 3}\n")
    read = read_contract(path)
    assert read.columns["age"].minimum == 18
    assert read.rows.least == 3
    path.write_text("")
    assert read_contract(path) == Contract()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("columns: [", "The contract can't be read"),
        ("columns: {age: {minimun: 3}}", "columns.age.minimun: Extra inputs"),
        ("columns: {age: {most_missing: 1.5}}", "columns.age.most_missing"),
        ("columns: {age: {type: float}}", "columns.age.type"),
        ("rows: {least: -1}", "rows.least"),
        ("- a\n", "says what none can"),
        ("columns: !!python/object:os.system {}", "can't be read"),
    ],
)
def test_a_contract_that_says_what_none_can_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as refused:
        read_contract(path)
    assert refused.value.where == str(path)


def test_a_contract_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_contract(tmp_path / "nowhere.yaml")


def suggested(table: ds.Dataset, tmp_path: Path) -> Contract:
    path = tmp_path / "c.yaml"
    path.write_text(suggest_contract(assess(table)), encoding="utf-8")
    return read_contract(path)


def test_a_suggestion_has_slack_and_lists_few_categories(tmp_path: Path) -> None:
    table = dataset(
        age=[20.0, 60.0, 30.0, 30.0],
        plan=["b", "a", "b", "b"],
        customer_id=["k1", "k2", "k3", "k4"],
        far=[500, 700, 500, 600],
    )
    found = suggested(table, tmp_path)
    assert found.columns["age"].model_dump(exclude_defaults=True) == {
        "type": "number",
        "minimum": 0,
        "maximum": 80,
        "most_missing": 0.01,
    }
    assert found.columns["far"].minimum == 400
    assert found.columns["far"].maximum == 800
    assert found.columns["plan"].values == ["a", "b"]
    assert found.columns["customer_id"].unique
    assert found.rows.least == 2


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        dataset(x=[123456.1, 123456.9], y=[1, 2]),
        dataset(x=[123456.7] * 3, y=[1, 2, 3]),
        dataset(x=[1.0, INF, -INF], y=[1, 2, 3]),
        dataset(x=["a" * 80, "b" * 80, "a" * 80, "b" * 80], y=[1, 2, 3, 4]),
        dataset(customer_id=[*range(99), 1], y=[1.0] * 100),
        dataset(x=["yes", "no", "1", "null", "~"], y=[True, False, None, True, True]),
    ],
)
def test_a_table_keeps_the_contract_that_it_suggests(table: ds.Dataset, tmp_path: Path) -> None:
    outcome = check_contract(suggested(table, tmp_path), table)
    assert outcome.passed, outcome.description


text = st.none() | st.text(max_size=5) | st.sampled_from(["a", "b", "yes", "1", " a "])
number = st.none() | st.floats(width=32) | st.sampled_from([0.0, 1.0])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(text, number, st.none() | st.integers(-(2**52), 2**52)), min_size=1, max_size=10))
def test_any_table_keeps_the_contract_that_it_suggests(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    schema = pa.schema([("some_id", pa.string()), ("x", pa.float64()), ("n", pa.int64())])
    table = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)
    outcome = check_contract(suggested(ds.dataset(table), tmp_path_factory.mktemp("c")), ds.dataset(table))
    assert outcome.passed, outcome.description
