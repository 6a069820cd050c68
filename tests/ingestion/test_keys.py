"""A file's name becomes a partition key that Dagster takes, and comes back."""

import os

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_assets.ingestion.keys import key_of, name_of, natural_order

NAMES = st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw and b"/" not in raw).map(os.fsdecode)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("2024-01.csv", "2024-01.csv"),
        ("a, b.csv", "a%2C b.csv"),
        ("100%.csv", "100%25.csv"),
        ("a\nb.csv", "a%0Ab.csv"),
        ("wait....csv", "wait..%2E%2Ecsv"),
        ("żółw.csv", "żółw.csv"),
        (os.fsdecode(b"caf\xe9.csv"), "caf%E9.csv"),
    ],
)
def test_only_what_dagster_refuses_is_escaped(name: str, key: str) -> None:
    assert key_of(name) == key
    assert name_of(key) == name


@given(NAMES)
def test_any_name_is_a_key_that_dagster_takes_and_comes_back(name: str) -> None:
    key = key_of(name)
    assert name_of(key) == name
    key.encode()
    dg.StaticPartitionsDefinition([key])
    dg.DynamicPartitionsDefinition(name="landed").build_add_request([key])
    assert "," not in key


@given(st.text(max_size=20))
def test_what_a_person_types_is_no_error(text: str) -> None:
    assert isinstance(name_of(text), str)


@given(st.lists(st.text(alphabet="ab_-.0123456789²", max_size=8)))
def test_any_two_names_have_an_order(keys: list[str]) -> None:
    forwards, backwards = (sorted(some, key=natural_order) for some in (keys, reversed(keys)))
    assert [natural_order(key) for key in forwards] == [natural_order(key) for key in backwards]


def test_numbers_count_as_numbers() -> None:
    keys = ["batch_10.csv", "batch_2.csv", "batch_1.csv", "2024-02", "2024-10", "2023-12"]
    assert sorted(keys, key=natural_order) == [
        "2023-12",
        "2024-02",
        "2024-10",
        "batch_1.csv",
        "batch_2.csv",
        "batch_10.csv",
    ]
