"""Every drift test of the registry, also one that does not exist yet, keeps the contract."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_assets.monitoring.drift import registry
from automl_assets.monitoring.evidence import test_for as drift_test_for

TESTS = registry.names()


def sample(name: str, shift: float = 0.0, rows: int = 2000, seed: int = 0) -> pa.ChunkedArray:
    """A column that the test compares; `shift` from 0 to 1 moves it."""
    generator = np.random.default_rng(seed)
    if "numeric" in registry.get(name).roles:
        return pa.chunked_array([generator.normal(3 * shift, 1, rows)])
    shares = np.array([0.6, 0.3, 0.1]) * (1 - shift) + np.array([0.0, 0.1, 0.9]) * shift
    return pa.chunked_array([np.array(["red", "green", "blue"])[generator.choice(3, rows, p=shares)]])


@pytest.mark.parametrize("name", TESTS)
def test_the_same_sample_has_no_effect(name: str) -> None:
    column = sample(name)
    shuffled = column.take(pa.array(np.random.default_rng(1).permutation(len(column))))

    assert registry.get(name).effect(column, column) == 0.0
    assert registry.get(name).effect(column, shuffled) == 0.0


@pytest.mark.parametrize("name", TESTS)
def test_another_sample_of_the_same_has_too_small_an_effect(name: str) -> None:
    assert registry.get(name).effect(sample(name), sample(name, seed=1)) < registry.get(name).least_effect


@pytest.mark.parametrize("name", TESTS)
def test_a_larger_shift_has_a_larger_effect(name: str) -> None:
    effects = [registry.get(name).effect(sample(name), sample(name, shift)) for shift in (0.0, 0.2, 0.5, 1.0)]

    assert effects == sorted(effects)
    assert effects[1] >= registry.get(name).least_effect
    assert effects[-1] <= 1.0


@pytest.mark.parametrize("name", TESTS)
def test_the_effect_is_symmetric_and_indifferent_to_chunks(name: str) -> None:
    test, a, b = registry.get(name), sample(name), sample(name, 0.5, rows=700)
    chunked = pa.chunked_array([a.slice(0, 3).combine_chunks(), a.slice(3).combine_chunks()])

    assert test.effect(a, b) == pytest.approx(test.effect(b, a))
    assert test.effect(chunked, b) == test.effect(a, b)


@pytest.mark.parametrize("name", TESTS)
def test_a_test_says_what_it_compares_and_what_matters(name: str) -> None:
    test = registry.get(name)

    assert test.roles
    assert 0 < test.least_effect < 1
    assert test.evidently_method
    assert all(drift_test_for(role) == (name, test) for role in test.roles)


def test_roles_without_a_test_have_none() -> None:
    assert drift_test_for("text") is None
    assert drift_test_for("datetime") is None


@pytest.mark.parametrize(
    ("a", "b", "effect"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.0),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5),
        ([1, 2], [5, 6, 7], 1.0),
        ([1, 1, 1, 2], [1, 2, 2, 2], 0.5),
        ([0, 0, 1], [0, 1], 1 / 6),
    ],
)
def test_kolmogorov_smirnov_by_hand(a: list[float], b: list[float], effect: float) -> None:
    found = registry.get("ks").effect(pa.chunked_array([a]), pa.chunked_array([b]))

    assert found == pytest.approx(effect)


@pytest.mark.parametrize(
    ("a", "b", "effect"),
    [
        (["x", "y"], ["y", "x"], 0.0),
        (["x", "x", "x", "y"], ["x", "y", "y", "y"], 0.5),
        (["x"], ["y", "y"], 1.0),
        (["x", "y"], ["x", "y", "z", "z"], 0.5),
        (["x", "x", "y", "y", "z", "z", "z", "z"], ["x", "y", "z", "w"], 0.25),
    ],
)
def test_total_variation_by_hand(a: list[str], b: list[str], effect: float) -> None:
    found = registry.get("tvd").effect(pa.chunked_array([a]), pa.chunked_array([b]).dictionary_encode())

    assert found == pytest.approx(effect)


@settings(max_examples=60, deadline=None)
@given(
    a=st.lists(st.floats(-10, 10, width=16), min_size=5, max_size=30),
    b=st.lists(st.floats(-10, 10, width=16), min_size=5, max_size=30),
)
def test_kolmogorov_smirnov_is_scipys(a: list[float], b: list[float]) -> None:
    found = registry.get("ks").effect(pa.chunked_array([a]), pa.chunked_array([b]))

    assert found == pytest.approx(stats.ks_2samp(a, b, method="asymp").statistic)


@settings(max_examples=40, deadline=None)
@given(
    a=st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
    b=st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
)
def test_total_variation_is_the_largest_difference_over_all_sets_of_categories(a: list[str], b: list[str]) -> None:
    found = registry.get("tvd").effect(pa.chunked_array([a]), pa.chunked_array([b]))

    subsets = [[label for k, label in enumerate("abcd") if number >> k & 1] for number in range(16)]
    share = [abs(sum(x in chosen for x in a) / len(a) - sum(x in chosen for x in b) / len(b)) for chosen in subsets]
    assert found == pytest.approx(max(share))
