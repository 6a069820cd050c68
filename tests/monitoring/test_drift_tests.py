"""Every drift test of the registry, also one that does not exist yet, keeps the contract."""

import dataclasses
import json
import math
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_assets.core.label_sketches import CategorySketch, TextSketch
from automl_assets.core.sketches import NumericSketch, Sketch, edges_of
from automl_assets.monitoring.drift import registry
from automl_assets.monitoring.drift import tests_for as drift_tests_for
from automl_assets.monitoring.drift._shares import binned, binned_at, shares
from automl_assets.monitoring.drift.psi import stability_index

TESTS = registry.names()
DECIDING = [name for name in TESTS if registry.get(name).decides]
ROWS = 4_000


def column(role: str, rows: int = ROWS, *, drift: float = 0.0, seed: int = 0) -> pa.Array:
    """A column of a role; `drift` from 0 to 1 changes its values, their range, labels, words and gaps."""
    generator = np.random.default_rng(seed)
    gone = generator.random(rows) < 0.05 + 0.6 * drift
    if role in ("numeric", "datetime"):
        return pa.array(generator.normal(4 * drift, 1, rows), mask=gone)
    if role == "categorical":
        weights = np.array([0.6, 0.3, 0.1, 0.0]) * (1 - drift) + np.array([0.0, 0.1, 0.4, 0.5]) * drift
        return pa.array(np.array(["red", "green", "blue", "mauve"])[generator.choice(4, rows, p=weights)], mask=gone)
    words = np.array(["so", "it", "goes", "again", "nevertheless"])
    chosen = words[generator.integers(0, 3, (rows, 2)) + (generator.random((rows, 2)) < drift) * 2]
    return pa.array([" ".join(pair) for pair in chosen], mask=gone)


def structure(role: str, reference: pa.Array) -> Sketch:
    if role == "categorical":
        return CategorySketch.on(tuple(sorted(set(reference.drop_null().to_pylist()))))
    if role == "text":
        return TextSketch.on(np.arange(0.0, 40.0))
    return NumericSketch.on(edges_of(reference.drop_null().to_numpy()))


def sketched(role: str, empty: Sketch, values: pa.Array) -> Sketch:
    if isinstance(empty, CategorySketch):
        return empty.count({pair["values"].as_py(): pair["counts"].as_py() for pair in values.value_counts()})
    if isinstance(empty, TextSketch):
        return empty.count(values)
    assert isinstance(empty, NumericSketch)
    return empty.count(values.to_numpy(zero_copy_only=False))


def sides(role: str, *, drift: float = 0.0, rows: int = ROWS) -> tuple[Sketch, Sketch]:
    reference = column(role)
    empty = structure(role, reference)
    return sketched(role, empty, reference), sketched(role, empty, column(role, rows, drift=drift, seed=1))


EACH = [(name, role) for name in TESTS for role in registry.get(name).roles]


@pytest.mark.parametrize(("name", "role"), EACH)
def test_equal_sketches_show_nothing(name: str, role: str) -> None:
    reference, _ = sides(role)

    found = registry.get(name).answer(reference, reference)

    assert found.effect == pytest.approx(0.0, abs=1e-9)
    assert found.p_value is None or found.p_value == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "role"), [(n, r) for n, r in EACH if n in DECIDING])
def test_another_sample_of_the_same_does_not_alarm(name: str, role: str) -> None:
    found = registry.get(name).answer(*sides(role))

    assert found.effect is not None
    assert found.p_value is not None
    assert found.effect < registry.get(name).least_effect
    assert found.p_value > 0.001


@pytest.mark.parametrize(("name", "role"), EACH)
def test_a_large_change_matters_and_is_certain(name: str, role: str) -> None:
    found = registry.get(name).answer(*sides(role, drift=0.8))

    assert found.effect is not None
    assert found.effect > 0
    assert found.effect >= registry.get(name).least_effect
    assert found.p_value is None or found.p_value < 1e-6


@pytest.mark.parametrize(("name", "role"), EACH)
def test_more_change_has_a_larger_effect(name: str, role: str) -> None:
    effects = [registry.get(name).answer(*sides(role, drift=drift)).effect or 0.0 for drift in (0.0, 0.3, 0.8)]

    assert effects == sorted(effects)
    assert effects[0] < effects[1]


@pytest.mark.parametrize(("name", "role"), EACH)
def test_too_few_rows_are_no_answer_but_a_reason(name: str, role: str) -> None:
    test = registry.get(name)

    found = test.answer(*sides(role, rows=test.least_rows - 1))

    assert (found.effect, found.p_value) == (None, None)
    assert found.reason.startswith("insufficient data: ")


@pytest.mark.parametrize(("name", "role"), EACH)
def test_an_answer_is_json_within_bounds(name: str, role: str) -> None:
    found = registry.get(name).answer(*sides(role, drift=0.5))

    assert json.loads(json.dumps(dataclasses.asdict(found)))["effect"] == found.effect
    assert found.p_value is None or 0.0 <= found.p_value <= 1.0
    if name in DECIDING:
        assert found.effect is not None
        assert 0.0 <= found.effect <= 1.0


@pytest.mark.parametrize("name", TESTS)
def test_a_test_says_what_it_compares_and_what_matters(name: str) -> None:
    test = registry.get(name)

    assert test.roles
    assert test.least_rows > 1
    assert not test.decides or 0 < test.least_effect < 1
    assert test.decides or test.aspect == "distribution"
    assert all(drift_tests_for(role)[name] is test for role in test.roles)


def test_each_role_has_its_tests() -> None:
    assert {role: sorted(drift_tests_for(role)) for role in ("datetime", "text", "id")} == {
        "datetime": ["missing_rate"], "text": ["missing_rate", "text_length", "vocabulary"], "id": [],
    }  # fmt: skip


def numeric(a: list[float], b: list[float], repeat: int = 50) -> tuple[Sketch, Sketch]:
    """Both sides, each value so often that the number of rows suffices."""
    before, now = (np.repeat(np.array(values, dtype=float), repeat) for values in (a, b))
    empty = NumericSketch.on(edges_of(before))
    return empty.count(before), empty.count(now)


def labelled(a: str, b: str, repeat: int = 100_000) -> tuple[Sketch, Sketch]:
    empty = CategorySketch.on(tuple(sorted(set(a))))
    before, now = ({label: repeat * side.count(label) for label in side} for side in (a, b))
    return empty.count(before), empty.count(now)


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
    assert registry.get("ks").answer(*numeric(a, b)).effect == pytest.approx(effect)


@settings(max_examples=40, deadline=None)
@given(
    a=st.lists(st.floats(-10, 10, width=16), min_size=50, max_size=80),
    b=st.lists(st.floats(-10, 10, width=16), min_size=50, max_size=80),
)
def test_kolmogorov_smirnov_is_scipys_but_for_values_between_edges(a: list[float], b: list[float]) -> None:
    found = registry.get("ks").answer(*numeric(a, b, repeat=1))
    both = registry.get("ks").answer(*numeric([*a, *b], b, repeat=1))

    exact = stats.ks_2samp(a, b, method="asymp")
    assert found.effect is not None
    assert exact.statistic - 1 / len(a) - 1e-9 <= found.effect <= exact.statistic + 1e-9
    assert both.p_value == pytest.approx(stats.ks_2samp([*a, *b], b, method="asymp").pvalue)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("xy", "yx", 0.0), ("xxxy", "xyyy", 0.5), ("x", "y", 1.0), ("xy", "xyzz", 0.5), ("xxyyzzzz", "xyzw", 0.25)],
)
def test_total_variation_by_hand(a: str, b: str, distance: float) -> None:
    found = registry.get("tvd").answer(*labelled(a, b))

    assert found.effect == pytest.approx(distance, abs=1e-3)
    assert found.details["raw"] == pytest.approx(distance)


def test_many_labels_and_few_rows_are_no_drift_by_noise_alone() -> None:
    """Four hundred labels, five hundred rows: their raw distance is 0.35."""
    generator = np.random.default_rng(0)
    empty = CategorySketch.on(tuple(str(i) for i in range(400)))
    a, b = (
        empty.count({str(i): int(n) for i, n in enumerate(generator.multinomial(rows, np.full(400, 1 / 400)))})
        for rows in (10_000, 500)
    )

    found = registry.get("tvd").answer(a, b)

    assert found.details["raw"] > 0.3
    assert found.effect is not None
    assert found.effect < 0.1
    assert found.p_value is not None
    assert found.p_value > 0.01


@pytest.mark.parametrize(
    ("before", "now", "effect", "significant"),
    [((10, 90), (20, 80), 0.1, False), ((100, 900), (200, 800), 0.1, True), ((0, 100), (0, 100), 0.0, False)],
)
def test_missing_rates_by_hand(before: tuple[int, int], now: tuple[int, int], effect: float, significant: bool) -> None:
    empty = NumericSketch.on(np.array([1.0]))
    a, b = (empty.count(np.repeat([math.nan, 1.0], side)) for side in (before, now))

    found = registry.get("missing_rate").answer(a, b)

    assert found.effect == pytest.approx(effect)
    assert (found.p_value is not None and found.p_value < 0.01) is significant
    assert found.details == {"before": before[0] / sum(before), "now": now[0] / sum(now)}


def test_the_range_is_the_references_own() -> None:
    found = registry.get("range").answer(*numeric([0, 1, 2, 3], [-1, 0, 1, 3, 3, 3, 3, 5]))

    assert found.effect == pytest.approx(0.25)
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_a_new_maximum_now_and_then_is_no_surprise() -> None:
    p_values = []
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=1_000)
        empty = NumericSketch.on(edges_of(values[:500]))
        p_values.append(registry.get("range").answer(empty.count(values[:500]), empty.count(values[500:])).p_value)

    assert 0.001 <= np.mean(np.array(p_values) <= 0.05) <= 0.08


def test_new_labels_are_expected_where_the_reference_has_rare_ones() -> None:
    common, rare = "a" * 400 + "b" * 400, "".join(chr(0x4E00 + i) for i in range(200))

    surprising = registry.get("new_categories").answer(*labelled(common, common + "c" * 40, repeat=1))
    expected = registry.get("new_categories").answer(*labelled(common + rare, common + "c" * 40, repeat=1))

    assert surprising.effect == expected.effect == pytest.approx(40 / 840)
    assert surprising.p_value is not None
    assert surprising.p_value < 1e-6
    assert expected.p_value is not None
    assert expected.p_value > 0.5


def test_new_labels_can_not_be_told_where_not_all_old_ones_are_kept() -> None:
    a, b = labelled("ab", "ac")
    assert isinstance(a, CategorySketch)

    found = registry.get("new_categories").answer(dataclasses.replace(a, complete=False), b)

    assert (found.effect, found.reason) == (None, "the reference has more labels than are kept")


# Evidently's own functions, on the same data


def evidently(name: str, a: pd.Series, b: pd.Series, kind: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently.legacy.calculations.stattests import chisquare_stattest, jensenshannon, psi
        from evidently.legacy.calculations.stattests import wasserstein_distance_norm as wasserstein
        from evidently.legacy.core import ColumnType
    functions = {
        "psi": psi._psi, "jensen_shannon": jensenshannon._jensenshannon,
        "chi_squared": chisquare_stattest._chi_stat_test, "wasserstein": wasserstein._wasserstein_distance_norm,
    }  # fmt: skip
    return float(functions[name](a, b, ColumnType(kind), 0.1)[0])


@pytest.mark.parametrize("name", ["psi", "jensen_shannon", "chi_squared"])
@pytest.mark.parametrize("now", ["xxyz", "xyyyyzz", "zzzx", "xxxyyyz"])
def test_statistics_of_labels_equal_evidentlys(name: str, now: str) -> None:
    before, repeat = "xxxyyz", 40
    found = registry.get(name).answer(*labelled(before, now, repeat=repeat))

    value = found.details["raw"] if name == "psi" else found.p_value if name == "chi_squared" else found.effect
    sides = (pd.Series(list(side) * repeat) for side in (before, now))
    assert value == pytest.approx(evidently(name, *sides, kind="cat"), abs=1e-6)


@pytest.mark.parametrize("name", ["psi", "jensen_shannon"])
@pytest.mark.parametrize("shift", [0.0, 0.4, 3.0])
def test_binned_statistics_equal_evidentlys_on_equal_edges(name: str, shift: float) -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=3_000), generator.normal(shift, 1, 2_000)
    edges = np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")
    empty = NumericSketch.on(edges)

    counts = [binned_at(empty.count(side), edges) for side in (a, b)]

    assert [side.tolist() for side in counts] == [np.histogram(side, edges)[0].tolist() for side in (a, b)]
    p, q = (shares(side, fill=False) for side in counts)
    value = stability_index(*counts) if name == "psi" else _distance(p, q)
    assert value == pytest.approx(evidently(name, pd.Series(a), pd.Series(b), "num"), abs=1e-6)


def _distance(p: np.ndarray, q: np.ndarray) -> float:
    from scipy.spatial import distance

    return float(distance.jensenshannon(p, q))


@pytest.mark.parametrize("name", ["psi", "jensen_shannon", "wasserstein"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_statistics_of_numbers_are_evidentlys_but_for_the_cells_width(name: str, shift: float) -> None:
    generator = np.random.default_rng(3)
    a, b = generator.normal(size=20_000), generator.normal(shift, 1, 20_000)
    empty = NumericSketch.on(edges_of(a))

    found = registry.get(name).answer(empty.count(a), empty.count(b))

    value = found.details["raw"] if name == "psi" else found.effect
    assert value == pytest.approx(evidently(name, pd.Series(a), pd.Series(b), "num"), rel=0.1, abs=5e-3)


def test_the_bins_are_as_many_as_evidentlys() -> None:
    a, b = np.random.default_rng(0).normal(size=3_000), np.random.default_rng(1).normal(size=2_000)
    empty = NumericSketch.on(edges_of(a))

    counts = binned(empty.count(a), empty.count(b))

    assert len(counts[0]) == len(np.histogram_bin_edges(np.concatenate([a, b]), bins="sturges")) - 1
    assert [side.sum() for side in counts] == pytest.approx([3_000, 2_000])


def test_the_stability_index_of_equal_distributions_is_0_on_average_once_corrected() -> None:
    raw, corrected = [], []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        empty = CategorySketch.on(tuple(str(i) for i in range(20)))
        drawn = [generator.multinomial(rows, np.full(20, 0.05)) for rows in (2_000, 500)]
        found = registry.get("psi").answer(*(empty.count({str(i): int(n) for i, n in enumerate(d)}) for d in drawn))
        raw.append(found.details["raw"])
        corrected.append(found.details["raw"] - found.details["bias"])

    assert np.mean(raw) > 0.04
    assert abs(np.mean(corrected)) < 0.01


def test_a_changed_unit_is_far_by_wassersteins_distance() -> None:
    values = np.random.default_rng(0).normal(20, 5, 5_000)
    empty = NumericSketch.on(edges_of(values))

    found = registry.get("wasserstein").answer(empty.count(values), empty.count(values * 1.8 + 32))

    exact = stats.wasserstein_distance(values, values * 1.8 + 32) / values.std()
    assert found.effect == pytest.approx(exact, rel=0.01)
