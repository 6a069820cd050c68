"""Each operation as a table: the training cells, then the cells after it, or the reason why not."""

import datetime as dt

import pyarrow as pa
import pytest

from automl_assets.cleaning.operations import About, Accepted, Rejected, registry
from automl_assets.cleaning.operations.drop_duplicate import column_digest

NONE = None
MANY = 60


def answer(operation: str, cells: list, **about: object) -> Accepted | Rejected:
    return registry.get(operation).fit(column_of(cells), About("a", "categorical", **about))


def column_of(cells: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(cells, pa.string() if not any(c is not None for c in cells) else None)])


def after(operation: str, train: list, later: list | None = None) -> list:
    learnt = answer(operation, train)
    assert isinstance(learnt, Accepted), learnt.reason
    cells = train if later is None else later
    column = registry.get(operation).transform(pa.chunked_array([pa.array(cells, pa.string())]), learnt.params)
    assert column is not None
    return column.to_pylist()


@pytest.mark.parametrize(
    ("train", "later", "expected"),
    [
        (["a", "NA", "b"], None, ["a", NONE, "b"]),
        (["a", " null ", "?", "b"], None, ["a", NONE, NONE, "b"]),
        (["a", "NA", "b"], ["?", "NA", "none", " NA", None], ["?", NONE, "none", NONE, None]),
        (["a", "NA", "b"], ["na", "NANA"], ["na", "NANA"]),
    ],
)
def test_a_literal_that_training_held_becomes_missing(train: list, later: list | None, expected: list) -> None:
    assert after("normalise_missing", train, later) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["None", "unknown", "-", "na"], "no cell holds a missing literal"),
        (["NA"] * 99 + ["EU"], "nearly the whole column is one literal, so it may be an answer"),
        ([None, None], "no cell holds a missing literal"),
    ],
)
def test_what_may_be_an_answer_stays(cells: list, reason: str) -> None:
    assert answer("normalise_missing", cells) == Rejected(reason)


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ([" a", "b ", "c d", " ", "", None], ["a", "b", "c d", NONE, "", None]),
        (["\ta\n", "\u00a0b"], ["a", "b"]),
    ],
)
def test_spaces_around_a_value_go_and_a_cell_of_nothing_else_is_missing(train: list, expected: list) -> None:
    assert after("trim", train) == expected


def test_a_column_without_spaces_is_not_trimmed() -> None:
    assert answer("trim", ["a b", "", None]) == Rejected("no cell has spaces around it")


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (["1", "2", "3", "4", "5"], [1, 2, 3, 4, 5]),
        (["1,234", "5", "6", "7", "8"], [1234, 5, 6, 7, 8]),
        (["$1,234.50", "€ 5", "£6", "7%", "₹8"], [1234.5, 5, 6, 7, 8]),
        (["(5)", "-5", "+5", "($5.5)", ".5"], [-5, -5, 5, -5.5, 0.5]),
        (["1.234,5", "0,25", "7", "8", "-9,"], [1234.5, 0.25, 7, 8, -9]),
        (["1.234.567", "8", "9", "1", "2"], [1234567, 8, 9, 1, 2]),
        (["1e3", "2E-1", "5.", "1.5e+2", "0"], [1000, 0.2, 5, 150, 0]),
        (["1 234", "2\u00a0345", "3", "4", "5"], [1234, 2345, 3, 4, 5]),
        (["1", "2", "3", "4", "5", None], [1, 2, 3, 4, 5, None]),
        ([*"123456789" * 3, "many"], [*(list(range(1, 10)) * 3), NONE]),
    ],
    ids=str,
)
def test_numbers_kept_as_text_become_numbers(train: list, expected: list) -> None:
    assert after("parse_number", train) == expected


@pytest.mark.parametrize(
    ("train", "later", "expected"),
    [
        (["1,5", "2,5", "3", "4", "5"], ["1.234,5", "1,234.5", "x", "", None], [1234.5, NONE, NONE, NONE, NONE]),
        (["1.5", "2.5", "3", "4", "5"], ["1,234.5", "1.234,5", "e5", "E10"], [1234.5, NONE, NONE, NONE]),
    ],
)
def test_the_style_that_training_showed_reads_later_cells(train: list, later: list, expected: list) -> None:
    assert after("parse_number", train, later) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["1", "2", "3", "4"], "too few filled cells to tell"),
        (["007", "2", "3", "4", "5"], "it holds codes with leading zeros"),
        (["1234567890123456", "2", "3", "4", "5"], "it holds numbers too long to count with"),
        (["E10", "E11", "e5", "E12", "E13"], "only 0% of the cells read as numbers"),
        (["1", "2", "3", "four", "five"], "only 60% of the cells read as numbers"),
        (["1-2", "3/4", "5:6", ".", "--7"], "only 0% of the cells read as numbers"),
        (["1,23,4", "12,34", "1,2345", "1.2.3", "1,5"], "only 60% of the cells read as numbers"),
    ],
    ids=str,
)
def test_what_is_no_number_stays_text(cells: list, reason: str) -> None:
    assert answer("parse_number", cells) == Rejected(reason)


def at(year: int, month: int, day: int, *time: int) -> dt.datetime:
    return dt.datetime(year, month, day, *time)


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (["31/01/2020", "15/02/2020"], [at(2020, 1, 31), at(2020, 2, 15)]),
        (["01/31/2020", "2/15/2020"], [at(2020, 1, 31), at(2020, 2, 15)]),
        (["2020/1/31", "2020/2/5"], [at(2020, 1, 31), at(2020, 2, 5)]),
        (["31.01.2020", "1.2.2020"], [at(2020, 1, 31), at(2020, 2, 1)]),
        (["5 Jan 2020", "15 Feb 1999"], [at(2020, 1, 5), at(1999, 2, 15)]),
        (["Jan 5, 2020", "Feb 15, 1999"], [at(2020, 1, 5), at(1999, 2, 15)]),
        (["31/01/2020 12:30", "15/02/2020 23:59"], [at(2020, 1, 31, 12, 30), at(2020, 2, 15, 23, 59)]),
        (["2020-01-31T12:30:15", "2020-02-15T00:00:00"], [at(2020, 1, 31, 12, 30, 15), at(2020, 2, 15)]),
        ([" 2020-01-31 ", None], [at(2020, 1, 31), None]),
        (["05-05-2020", "06-06-2020"], [at(2020, 5, 5), at(2020, 6, 6)]),
    ],
    ids=str,
)
def test_dates_kept_as_text_become_times(train: list, expected: list) -> None:
    assert after("parse_date", train * 5) == expected * 5


@pytest.mark.parametrize(
    ("train", "later", "expected"),
    [
        (["2020-02-28"], ["2020-02-30", "2020-02-29", "2021-02-29", "2020-13-01"], [NONE, at(2020, 2, 29), NONE, NONE]),
        (["28/02/2020"], ["31/04/2020", "30/04/2020"], [NONE, at(2020, 4, 30)]),
        (["28/02/2020"], ["1/2/20", "01/02/0020", "01/02/2020x", ""], [NONE] * 4),
        (["5 Jan 2020"], ["31 Feb 2020", "6 jan 2020"], [NONE, at(2020, 1, 6)]),
    ],
)
def test_a_day_that_does_not_exist_is_missing_and_never_another_day(train: list, later: list, expected: list) -> None:
    assert after("parse_date", train * 5, later) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["31/01/2020"] * 4, "too few filled cells to tell"),
        (["red", "green", "blue"] * 2, "its cells are not shaped like dates"),
        (["1-2-3", "4-5-6"] * 3, "no single format reads its cells"),
        (["01/02/2020", "03/04/2020"] * 3, "day and month can't be told apart"),
        (["31/01/2020", "01/31/2020"] * 3, "no single format reads its cells"),
        (["2020-02-30"] * 6, "no single format reads its cells"),
    ],
    ids=str,
)
def test_what_is_no_date_stays_text(cells: list, reason: str) -> None:
    assert answer("parse_date", cells) == Rejected(reason)


def test_cells_that_are_no_dates_are_counted_in_the_reason() -> None:
    learnt = answer("parse_date", ["2020-01-31"] * 99 + ["soon"])
    assert learnt == Accepted(
        {"format": "%Y-%m-%d"},
        "dates of the form %Y-%m-%d; 1 cells that are none become missing",
        100,
        confidence=0.99,
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a", "a"], Accepted({}, "it has the same value in every row", 2)),
        ([1.5, 1.5], Accepted({}, "it has the same value in every row", 2)),
        ([None, None], Accepted({}, "it is empty", 0)),
        (["a", None], Rejected("it varies")),
        (["a", "b"], Rejected("it varies")),
        ([True, False], Rejected("it varies")),
    ],
    ids=str,
)
def test_a_constant_column_is_dropped(cells: list, expected: Accepted | Rejected) -> None:
    assert answer("drop_constant", cells) == expected


@pytest.mark.parametrize(
    ("first", "cells", "dropped"),
    [
        (["a", "b", None], ["a", "b", None], True),
        ([1, 2, None], [1.0, 2.0, None], True),
        (["a", "b"], ["b", "a"], False),
        ([0, 1, 0], [None, 1, None], False),
        ([0.0, None], [None, 0.0], False),
        (["1", "2"], [1, 2], False),
        ([False, True, False], [None, True, None], False),
    ],
    ids=str,
)
def test_a_column_that_repeats_an_earlier_one_is_dropped(first: list, cells: list, dropped: bool) -> None:
    found = answer("drop_duplicate", cells, earlier_digests={column_digest(column_of(first)): "first"})
    if dropped:
        assert found == Accepted({"same_as": "first"}, "it equals the column 'first'", len(cells))
    else:
        assert found == Rejected("no earlier column is equal")
