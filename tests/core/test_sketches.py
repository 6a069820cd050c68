import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from automl_assets.core.label_sketches import TOKEN_BUCKETS, CategorySketch, TextSketch, lengths_of, tokens_of
from automl_assets.core.sketches import MOST_EDGES, Moments, NumericSketch, Sketch, edges_of, sketch_from

EDGES = np.array([-1.0, 0.0, 2.5])
TEXT_EDGES = np.array([0.0, 3.0, 8.0])
LABELS = ("red", "green", "blue")
nan, inf = float("nan"), float("inf")

numbers = st.lists(st.sampled_from([-3.0, -1.0, -0.5, 0.0, 1.0, 2.5, 9.0, nan, inf, -inf]), max_size=30)
labels = st.lists(st.sampled_from(["red", "blue", "mauve", None]), max_size=30)
texts = st.lists(st.sampled_from(["", "so", "so it goes", "Größe, grösse", None]), max_size=20)


def of_numbers(values: list[float]) -> Sketch:
    return NumericSketch.on(EDGES).count(np.array(values, dtype=float))


def of_labels(values: list[str | None]) -> Sketch:
    return CategorySketch.on(LABELS).count({label: values.count(label) for label in set(values)})


def of_texts(values: list[str | None]) -> Sketch:
    return TextSketch.on(TEXT_EDGES).count(pa.array(values, pa.string()))


KINDS = {"numbers": (of_numbers, numbers), "labels": (of_labels, labels), "texts": (of_texts, texts)}


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([], [0, 0, 0, 0, 0, 0, 0]),
        ([-5.0, -1.0, -1.0, -0.5, 0.0, 1.0, 2.5, 7.0, 8.0], [1, 2, 1, 1, 1, 1, 2]),
        ([-0.0], [0, 0, 0, 1, 0, 0, 0]),
        ([nan, inf, -inf, 3.0], [0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_numbers_are_counted_between_and_at_the_edges(values: list[float], cells: list[int]) -> None:
    sketch = of_numbers(values)

    assert isinstance(sketch, NumericSketch)
    assert sketch.cells.tolist() == cells
    assert sketch.missing == sum(value != value for value in values)
    assert sketch.infinite == sum(abs(value) == inf for value in values)
    assert (sketch.known, sketch.rows) == (sum(cells), len(values))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_merging_is_counting_all_at_once_in_any_order(kind: str, data: st.DataObject) -> None:
    sketch_of, values = KINDS[kind]
    a, b, c = (data.draw(values) for _ in range(3))

    left = sketch_of(a).merge(sketch_of(b)).merge(sketch_of(c))
    right = sketch_of(c).merge(sketch_of(a).merge(sketch_of(b)))
    whole = sketch_of([*a, *b, *c])

    assert left.vector.tolist() == right.vector.tolist() == whole.vector.tolist()
    assert (whole.without(sketch_of(b)).vector == sketch_of([*a, *c]).vector).all()
    assert not whole.empty().vector.any()
    assert whole.coarse().rows == whole.rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=10), min_size=1, max_size=4))
def test_moments_merge_to_numpys(parts: list[list[float]]) -> None:
    merged = Moments()
    for part in parts:
        merged = merged.merge(Moments.of(np.sort(part)))

    values = np.concatenate(parts)
    assert merged.count == len(values)
    if len(values):
        assert merged.mean == pytest.approx(values.mean(), abs=1e-6)
        assert merged.deviation == pytest.approx(values.std(), rel=1e-6, abs=1e-4)
        assert (merged.minimum, merged.maximum) == (values.min(), values.max())


def test_few_distinct_values_are_all_edges() -> None:
    assert edges_of(np.array([3.0, 1.0, nan, 3.0, inf, -2.0])).tolist() == [-2.0, 1.0, 3.0]
    assert edges_of(np.array([nan])).tolist() == []


def test_many_distinct_values_have_their_quantiles_and_ends_as_edges() -> None:
    values = np.random.default_rng(0).lognormal(0, 3, 50_000)

    edges = edges_of(values)

    assert len(edges) == MOST_EDGES
    assert (edges[0], edges[-1]) == (values.min(), values.max())
    assert set(edges) <= set(values)
    open_cells = NumericSketch.on(edges).count(values).cells[0::2]
    assert open_cells.max() / len(values) < 0.001


def test_a_value_that_many_rows_share_is_an_edge() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=20_000), np.full(500, 0.125)])

    assert 0.125 in edges_of(values, most=64)


@pytest.mark.parametrize("shape", ["normal", "lognormal", "rounded", "tail"])
def test_the_sketched_kolmogorov_smirnov_statistic_is_the_exact_one_within_two_thousandths(shape: str) -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=40_000), generator.normal(0.03, 1.02, 30_000)
    a, b = {
        "normal": (a, b), "lognormal": (np.exp(3 * a), np.exp(3 * b)), "rounded": (np.round(a, 1), np.round(b, 1)),
        "tail": (a, np.where(b > 1.5, 1e9, b)),
    }[shape]  # fmt: skip

    empty = NumericSketch.on(edges_of(a[::2]))
    before, now = empty.count(a), empty.count(b)
    found = np.abs(np.cumsum(before.cells) / before.known - np.cumsum(now.cells) / now.known).max()

    exact = stats.ks_2samp(a, b, method="asymp").statistic
    assert exact - 0.002 <= found <= exact + 1e-12


def test_counts_below_a_point_are_exact_at_edges_and_even_between_them() -> None:
    sketch = NumericSketch.on(np.array([0.0, 10.0])).count(np.array([-4.0, 0.0, 0.0, 2.0, 8.0, 10.0, 30.0]))

    below = sketch.below(np.array([-9.0, -4.0, -2.0, 0.0, 5.0, 10.0, 20.0, 30.0, 99.0]))

    assert below.tolist() == [0.0, 0.0, 0.5, 1.0, 4.0, 5.0, 6.5, 7.0, 7.0]
    assert [sketch.up_to(point) for point in (0.0, 10.0, 30.0)] == [3.0, 6.0, 7.0]
    assert sketch.quantiles(np.array([0.1, 0.5, 1.0])).tolist() == [0.0, 10.0, 10.0]


def test_a_coarse_sketch_keeps_the_counts_up_to_its_edges() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    fine = NumericSketch.on(edges_of(values)).count(values)

    coarse = fine.coarse()

    assert len(coarse.edges) < len(fine.edges)
    assert coarse.vector.tolist() == NumericSketch.on(coarse.edges).count(values).vector.tolist()
    assert coarse.coarse() is coarse


def test_labels_are_counted_with_the_unknown_and_the_missing() -> None:
    sketch = of_labels(["red", "red", "blue", None, "mauve", "beige"])

    assert isinstance(sketch, CategorySketch)
    assert sketch.cells.tolist() == [2, 2, 0, 1]
    assert (sketch.missing, sketch.unknown, sketch.known, sketch.rows) == (1, 2, 5, 6)


def test_texts_are_lengths_and_words_whatever_their_case() -> None:
    sketch = of_texts(["So it goes", "so", None, ""])

    assert isinstance(sketch, TextSketch)
    assert lengths_of(pa.array(["Größe", None])).tolist()[0] == 5.0
    assert (sketch.missing, sketch.known, sketch.rows) == (1, 3, 4)
    assert sketch.tokens.sum() == 4
    assert sketch.tokens.max() == 2
    assert len(sketch.tokens) == TOKEN_BUCKETS
    assert (tokens_of(pa.array(["SO, it... goes!"])) == tokens_of(pa.array(["so it goes"]))).all()


@pytest.mark.parametrize(
    "sketch", [of_numbers([1.0, nan, 7.0]), of_labels(["red", None, "x"]), of_texts(["a b", None])]
)
def test_a_sketch_survives_json_and_arrays(sketch: Sketch) -> None:
    again = sketch_from(json.loads(json.dumps(sketch.to_json())), sketch.arrays())

    assert type(again) is type(sketch)
    assert again.vector.tolist() == sketch.vector.tolist()
    assert again.to_json() == sketch.to_json()


@pytest.mark.parametrize("values", [[], [nan, nan], [1e308, -1e308, 1e308]])
def test_extreme_columns_do_not_break_the_moments(values: list[float]) -> None:
    sketch = NumericSketch.on(edges_of(np.array(values, dtype=float))).count(np.array(values, dtype=float))

    assert sketch.rows == len(values)
    assert json.dumps(sketch.to_json())
