"""Guesses from the first lines, and names made unique."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.ingestion.sniff import rows_of, sniff_header, sniff_quote, sniff_separator, unique_names


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n2,5;3\n", ";"),
        ("a\tb, c\n1\t2, 3, 4\n2\tx\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ('a,b\n"x;y;z",1\n"x;y;z",2\n', ","),
        ("one\ntwo\n", None),
        ("", None),
    ],
)
def test_the_separator_splits_most_lines_alike(sample: str, separator: str | None) -> None:
    assert sniff_separator(sample, '"') == separator


@pytest.mark.parametrize(
    ("sample", "quote"),
    [
        ("a,b\n1,2\n", '"'),
        ('"a","b"\n', '"'),
        ("'a','b'\n'c','d'\n", "'"),
        ("a,b\n1,'x'\n2,'y'\n", '"'),
        ("1,'x'\n2,'y'\n", "'"),
        ("'a','it''s'\n'c','d'\n", "'"),
        ("\"a\",b\n'c',d\n", '"'),
        ('"open,2\nx,3\n', None),
        ('"a",1\n"b",2\n"open,3\n', '"'),
        ('"say ""x"", y",2\n', '"'),
        ("", '"'),
    ],
)
def test_the_quote_is_the_one_that_wraps_fields(sample: str, quote: str | None) -> None:
    assert sniff_quote(sample) == quote


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ([["a", "b"]], True),
        ([], True),
        ([["age"], ["1"], ["2"]], True),
        ([["1"], ["1"], ["2"]], False),
        ([["red"], ["blue"], ["red"]], False),
        ([["colour"], ["blue"], ["red"]], True),
        ([["?", "x"], ["1", "y"]], True),
        ([["a", "b"], ["", ""], ["", ""]], True),
    ],
)
def test_columns_vote_for_or_against_a_header(rows: list[list[str]], header: bool) -> None:
    assert sniff_header(rows) is header


def test_a_very_long_field_is_no_obstacle() -> None:
    assert len(rows_of("a,b\n" + "x" * 200_000 + ",1\n", ",", '"')) == 2


def test_at_most_200_rows_are_looked_at() -> None:
    assert len(rows_of("a,b\n" * 500, ",", '"')) == 200


@pytest.mark.parametrize(
    ("names", "unique", "renamed"),
    [
        (["a", "b"], ["a", "b"], []),
        (["a", "a", "a"], ["a", "a_2", "a_3"], ["a", "a"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"], ["a"]),
        (["", " ", "x"], ["column_0", "column_1", "x"], ["", " "]),
        (["column_1", ""], ["column_1", "column_1_2"], [""]),
        ([], [], []),
    ],
)
def test_names_become_unique(names: list[str], unique: list[str], renamed: list[str]) -> None:
    assert unique_names(names) == (unique, renamed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "a_2", "", " ", "b", "column_0", "column_1", "a_2_2"]), max_size=8))
def test_unique_names_are_unique_filled_and_keep_the_first_of_each(names: list[str]) -> None:
    unique, renamed = unique_names(names)
    assert len(set(unique)) == len(unique) == len(names)
    assert all(name.strip() for name in unique)
    for name in {name for name in names if name.strip()}:
        assert unique[names.index(name)] == name
    assert len(renamed) == sum(new != old for new, old in zip(unique, names, strict=True))
