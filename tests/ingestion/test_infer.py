"""Types from text, and the cast that follows."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.ingestion.infer import ColumnEvidence, cast_text


def evidence(*cells: str, explicit: frozenset[str] = frozenset(), sniffs: bool = True) -> ColumnEvidence:
    found = ColumnEvidence(sniffs=sniffs)
    found.add(pa.array(cells, pa.string()).dictionary_encode(), explicit)
    return found


def cast(*cells: str) -> list:
    found = evidence(*cells)
    column = pa.array(cells, pa.string()).dictionary_encode()
    return cast_text(column, found.type(), found.missing_literals(), utc=found.is_utc()).to_pylist()


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", "+3", "0"], "integer", [1, -2, 3, 0]),
        ([" 1 ", "2"], "integer", [1, 2]),
        (["1", "", "  "], "integer", [1, None, None]),
        (["9223372036854775807", "-9223372036854775808"], "integer", [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], "text", ["9223372036854775808", "1"]),
        (["1", "2.5", ".5", "1e3", "-1.", "+.5"], "number", [1.0, 2.5, 0.5, 1000.0, -1.0, 0.5]),
        (["1", "inf", "-Infinity"], "number", [1.0, float("inf"), float("-inf")]),
        (["inf", "inf"], "text", ["inf", "inf"]),
        (["007", "8"], "text", ["007", "8"]),
        (["1", "NA", "?"], "integer", [1, None, None]),
        (["1.5", "nan"], "number", [1.5, None]),
        (["1", "unknown"], "text", ["1", "unknown"]),
        (["NA", "?"], "text", ["NA", "?"]),
        (["", ""], "text", [None, None]),
        ([" a ", "b"], "text", [" a ", "b"]),
        (["true", "false"], "text", ["true", "false"]),
        (["1,000", "2"], "text", ["1,000", "2"]),
        (["2024-02-29", "2023-01-01"], "datetime", [datetime(2024, 2, 29), datetime(2023, 1, 1)]),
        (["2023-02-29", "2023-01-01"], "text", ["2023-02-29", "2023-01-01"]),
        (["0000-00-00", "2023-01-01"], "text", ["0000-00-00", "2023-01-01"]),
        (["2024-01-01T10:30", "NA"], "datetime", [datetime(2024, 1, 1, 10, 30), None]),
        (["2024-01-01 10:30:05.25", ""], "datetime", [datetime(2024, 1, 1, 10, 30, 5, 250_000), None]),
        (
            ["2024-01-01T10:30Z", "2024-01-01 10:30+02:00", "2024-01-01T10:30:00-0530"],
            "datetime",
            [
                datetime(2024, 1, 1, 10, 30, tzinfo=UTC),
                datetime(2024, 1, 1, 8, 30, tzinfo=UTC),
                datetime(2024, 1, 1, 16, 0, tzinfo=UTC),
            ],
        ),
        (["2024-01-01T10:30Z", "2024-01-01"], "text", ["2024-01-01T10:30Z", "2024-01-01"]),
        (["2024-01-01T10:30+99:99", "2024-01-01T10:30Z"], "text", ["2024-01-01T10:30+99:99", "2024-01-01T10:30Z"]),
        (["2024-01-01T24:00", "2024-01-01"], "text", ["2024-01-01T24:00", "2024-01-01"]),
        (["01/02/2024", "1"], "text", ["01/02/2024", "1"]),
    ],
)
def test_a_column_is_as_narrow_as_every_filled_cell_allows(cells: list[str], kind: str, values: list) -> None:
    assert evidence(*cells).type() == kind
    assert cast(*cells) == values


def test_evidence_adds_up_over_batches() -> None:
    found = evidence("1", "2", "")
    found.add(pa.array(["3.5", "NA", "NA"]).dictionary_encode(), frozenset())
    assert (found.filled, found.blank, found.integers, found.numbers) == (5, 1, 2, 1)
    assert found.odd == {"NA": 2}
    assert found.type() == "number"
    assert found.missing_literals() == {"NA"}


def test_stated_literals_are_blank_and_nothing_else_is_guessed() -> None:
    found = evidence("1", "unknown", "NA", explicit=frozenset({"unknown"}), sniffs=False)
    assert (found.filled, found.blank) == (2, 1)
    assert found.type() == "text"
    assert found.missing_literals() == frozenset()
    assert evidence("1", "unknown", explicit=frozenset({"unknown"}), sniffs=False).type() == "integer"


def test_categories_are_kept_up_to_a_hundred() -> None:
    assert evidence(*"abca").categories() == ("a", "b", "c")
    assert len(evidence(*(f"v{i}" for i in range(100))).categories()) == 100
    assert evidence(*(f"v{i}" for i in range(101))).categories() == ()


def test_a_column_of_many_words_is_text_without_remembering_them() -> None:
    found = evidence("1", *(f"word {i}" for i in range(1_000)))
    assert found.type() == "text"
    assert found.odd_overflow
    assert len(found.odd) <= 256


def test_what_a_person_should_know_is_a_finding() -> None:
    (long,) = evidence("99999999999999999999", "1").findings("card")
    assert (long.code, long.column, long.count) == ("long_integers", "card", 1)
    (infinite,) = evidence("1", "inf", "-inf").findings("ratio")
    assert (infinite.code, infinite.column, infinite.count) == ("infinite_values", "ratio", 2)
    assert evidence("1", "2").findings("x") == []


integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
dates = st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31))


@settings(max_examples=60, deadline=None)
@given(st.lists(integers, min_size=1))
def test_whole_numbers_come_back_exactly(numbers: list[int]) -> None:
    assert cast(*map(str, numbers)) == numbers


@settings(max_examples=60, deadline=None)
@given(st.lists(floats, min_size=1))
def test_numbers_come_back_exactly(numbers: list[float]) -> None:
    assert cast(*map(repr, numbers)) == numbers


@settings(max_examples=40, deadline=None)
@given(st.lists(dates, min_size=1), st.sampled_from([" ", "T"]))
def test_dates_come_back_exactly(times: list[datetime], between: str) -> None:
    assert cast(*(time.isoformat(sep=between) for time in times)) == times


cells = st.one_of(
    st.text("0123456789-+.:TZ eEinf", max_size=25),
    st.sampled_from(["NA", "", "1", "2024-01-01", "2024-01-01T00:00Z", "1e999", "?", "-", "+5", "9999-12-31"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(cells, min_size=1, max_size=6))
def test_the_chosen_type_always_holds_every_cell(values: list[str]) -> None:
    assert len(cast(*values)) == len(values)
