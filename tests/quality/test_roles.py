"""What part a column seems to play."""

from datetime import datetime

import pyarrow as pa
import pytest

from automl_assets.quality.roles import infer_role, looks_like_id, named_like_id

WORDS = [f"sentence number {i} with several words" for i in range(20)]


@pytest.mark.parametrize("name", ["id", "ID", "customerID", "customerId", "row_id", "Order", "uuid", "rownames", "PID"])
def test_a_name_may_say_identifier(name: str) -> None:
    assert named_like_id(name)


@pytest.mark.parametrize("name", ["paid", "humidity", "border", "keyboard", "age", "idle", "reordered"])
def test_a_name_may_only_sound_like_it(name: str) -> None:
    assert not named_like_id(name)


@pytest.mark.parametrize(
    ("name", "values", "answer"),
    [
        ("customer_id", [5, 9, 2, 7], True),
        ("customer_id", [5, 5, 5, 7], False),
        ("customer_id", [5, None, 2, 7], False),
        ("n", [3, 1, 2, 4], True),
        ("age", [31, 45, 62, 18], False),
        ("code", ["AB-01", "AB-02", "AB-03"], True),
        ("colour", ["red", "green", "blue"], False),
        ("note", ["a 1", "b 2", "c 3"], False),
        ("customer_id", [1.5, 2.5], False),
        ("id", [1], False),
    ],
)
def test_an_identifier_is_nearly_unique_and_named_numbered_or_coded(name: str, values: list, answer: bool) -> None:
    assert looks_like_id(name, pa.chunked_array([values])) is answer


@pytest.mark.parametrize(
    ("values", "role"),
    [
        ([1, 2, 2], "numeric"),
        ([1.5, None], "numeric"),
        (["a", "b", "a"], "categorical"),
        ([True, False], "categorical"),
        ([datetime(2024, 1, 1), datetime(2024, 1, 2)], "datetime"),
        (WORDS, "text"),
        (["one two three four"] * 9 + ["five six seven eight"], "categorical"),
        (["x" * 50, "y" * 50], "text"),
        ([1, 1], "constant"),
        ([1, None], "numeric"),
        (["a", None], "categorical"),
    ],
)
def test_a_column_s_role_follows_from_its_values(values: list, role: str) -> None:
    found, reason = infer_role(pa.chunked_array([values]))
    assert found == role
    assert reason


def test_an_empty_column_is_constant() -> None:
    assert infer_role(pa.chunked_array([pa.nulls(3, pa.string())])) == ("constant", "empty")
