"""What every cleaning operation promises, over the registry: a new file is tested without writing a test."""

import datetime as dt
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.cleaning.operations import About, Accepted, Operation, Rejected, registry
from automl_assets.core.tables import column_type
from automl_assets.core.values import FEATURE_ROLES, CleaningPlan, PlanStep

COLUMNS = {
    "words": pa.array(["red", "green", None, "blue"] * 5),
    "spaces": pa.array([" red", "green ", "  ", "", None] * 4),
    "missing words": pa.array(["red", "N/A", "?", " null ", "green"] * 4),
    "money": pa.array(["$1,200.50", "(3)", "7%", None, "+4"] * 4),
    "decimal commas": pa.array(["1.200,5", "3,25", "7", "-4,5"] * 5),
    "numbers and a word": pa.array([str(i) for i in range(39)] + ["many"]),
    "codes": pa.array(["007", "042", "100"] * 6),
    "exponents": pa.array(["E10", "E11", "e5"] * 6),
    "dates": pa.array(["31/01/2020", "01/02/2021", None, "15/03/2020"] * 5),
    "dates and a day that is none": pa.array(["2020-02-28"] * 60 + ["2020-02-30"]),
    "constant": pa.array(["same"] * 20),
    "empty": pa.nulls(20, pa.string()),
    "integers": pa.array([1, 2, None, 4] * 5),
    "constant number": pa.array([3.5] * 20),
    "floats": pa.array([0.5, float("nan"), float("inf"), None] * 5),
    "booleans": pa.array([True, False, None] * 6),
    "times": pa.array([dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1)] * 10),
    "one row": pa.array(["x"]),
}
OPERATIONS = registry.names()


def looks_at(operation: type[Operation], column: pa.ChunkedArray) -> bool:
    return column_type(column.type) in operation.types


def about(column: pa.ChunkedArray | None = None) -> About:
    from automl_assets.cleaning.operations.drop_duplicate import column_digest

    return About("a", "categorical", {} if column is None else {column_digest(column): "first"})


def accepted() -> list[tuple[str, str]]:
    """Each operation with each column that it looks at and accepts; the column repeats an earlier one."""
    pairs = []
    for name in OPERATIONS:
        for label, array in COLUMNS.items():
            column = pa.chunked_array([array])
            operation = registry.get(name)
            if looks_at(operation, column) and isinstance(operation.fit(column, about(column)), Accepted):
                pairs.append((name, label))
    return pairs


PAIRS = accepted()


def fitted(name: str, label: str) -> tuple[type[Operation], pa.ChunkedArray, Accepted]:
    operation, column = registry.get(name), pa.chunked_array([COLUMNS[label]])
    answer = operation.fit(column, about(column))
    assert isinstance(answer, Accepted)
    return operation, column, answer


def rows(column: pa.ChunkedArray | None) -> list | None:
    return None if column is None else [repr(value) for value in column.to_pylist()]


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_accepts_some_column_and_rejects_some(name: str) -> None:
    answers = [
        registry.get(name).fit(pa.chunked_array([array]), about())
        for array in COLUMNS.values()
        if column_type(array.type) in registry.get(name).types
    ]
    assert any(isinstance(answer, Rejected) for answer in answers)
    assert name in {pair[0] for pair in PAIRS}


@pytest.mark.parametrize("label", COLUMNS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_accepts_or_rejects_with_a_reason(name: str, label: str) -> None:
    column = pa.chunked_array([COLUMNS[label]])
    if not looks_at(registry.get(name), column):
        assert column_type(column.type) not in registry.get(name).types
        return
    answer = registry.get(name).fit(column, about())
    assert answer.reason.strip()
    if isinstance(answer, Accepted):
        assert 0 < answer.confidence <= 1
        assert 0 <= answer.changed <= len(column)


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_it_changes_as_many_cells_as_it_says(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    after = operation.transform(column, answer.params)
    if operation.structural:
        assert after is None or column_type(after.type) != column_type(column.type)
        return
    assert after is not None
    assert answer.changed == sum(a != b for a, b in zip(column.to_pylist(), after.to_pylist(), strict=True)) > 0


@pytest.mark.parametrize(("name", "label"), PAIRS)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_any_batch_size_gives_the_same_cells(name: str, label: str, size: int) -> None:
    operation, column, answer = fitted(name, label)
    whole = operation.transform(column, answer.params)
    pieces = [operation.transform(column.slice(i, size), answer.params) for i in range(0, len(column), size)]
    if whole is None:
        assert set(pieces) == {None}
        return
    assert [cell for piece in pieces for cell in rows(piece) or ()] == rows(whole)
    assert {piece.type for piece in pieces if piece is not None} == {whole.type}


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_chunks_do_not_matter(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    chunked = pa.chunked_array([column.slice(0, 1).combine_chunks(), column.slice(1).combine_chunks()])
    assert rows(operation.transform(chunked, answer.params)) == rows(operation.transform(column, answer.params))
    assert operation.fit(chunked, about(column)) == answer


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_a_column_without_rows_stays_without_rows(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    whole, none = operation.transform(column, answer.params), operation.transform(column.slice(0, 0), answer.params)
    assert (whole is None) == (none is None)
    if none is not None and whole is not None:
        assert (len(none), none.type) == (0, whole.type)


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_twice_is_once(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    once = operation.transform(column, answer.params)
    if once is not None:
        twice = operation.transform(once, answer.params)
        assert rows(twice) == rows(once)


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_its_input_stays_as_it_is(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    before, params = rows(column), json.dumps(answer.params)
    operation.transform(column, answer.params)
    assert rows(column) == before
    assert json.dumps(answer.params) == params


@pytest.mark.parametrize(("name", "label"), PAIRS)
def test_what_it_learnt_is_the_same_after_json(name: str, label: str) -> None:
    operation, column, answer = fitted(name, label)
    plan = CleaningPlan(steps=(PlanStep(operation=name, columns=("a",), params=answer.params, reason=answer.reason),))
    again = CleaningPlan.model_validate(json.loads(json.dumps(plan.model_dump(mode="json"))))
    assert again == plan
    assert rows(operation.transform(column, again.steps[0].params)) == rows(operation.transform(column, answer.params))


@pytest.mark.parametrize("name", OPERATIONS)
def test_its_attributes_agree(name: str) -> None:
    operation = registry.get(name)
    assert operation.types
    assert operation.role_after is None or (operation.structural and operation.role_after in FEATURE_ROLES)


def test_operations_stand_in_different_places() -> None:
    orders = [operation.order for operation in registry.all().values()]
    assert len(set(orders)) == len(orders)


CELLS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", "NA", " ?", "1,5", "1.5", "1,234", "(7)", "$5", "e5", "1e999", ".", "5.", "-", "007", "12%"]
    ),
    st.sampled_from(["2020-01-31", "31/12/2020", "2020-02-30", "1.2.2020", "Jan 5, 2020", "5 May 1999 12:30"]),
    st.text(max_size=6),
    st.from_regex(r"[+-]?[0-9]{0,3}[.,]?[0-9]{0,3}([eE][0-9]{1,3})?", fullmatch=True),
)


@pytest.mark.parametrize("name", OPERATIONS)
@given(train=st.lists(CELLS, min_size=1, max_size=12), later=st.lists(CELLS, max_size=6), repeats=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_whatever_it_accepts_it_can_apply_to_any_text(name: str, train: list, later: list, repeats: int) -> None:
    operation = registry.get(name)
    column = pa.chunked_array([pa.array(train * repeats, pa.string())])
    if not looks_at(operation, column):
        return
    answer = operation.fit(column, about())
    if isinstance(answer, Accepted):
        batch = pa.chunked_array([pa.array(later, pa.string())])
        after = operation.transform(batch, answer.params)
        assert after is None or len(after) == len(later)
        if after is not None:
            assert rows(operation.transform(after, answer.params)) == rows(after)
