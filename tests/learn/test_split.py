"""The holdout is a rule: about the share asked for, equal rows and groups together, the same on every machine."""

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.values import HoldoutRule
from automl_assets.learn.split import (
    assign_folds,
    draw_by_hash,
    hash_rows,
    hash_values,
    holdout_size,
    in_holdout,
    label_texts,
    quantile_boundaries,
    row_hashes,
    time_fold,
)


def hashes_of(salt: str = "s", **columns: list) -> np.ndarray:
    return hash_rows(pa.RecordBatch.from_pydict(columns), list(columns), salt)


def test_the_hash_of_a_row_is_the_same_for_ever() -> None:
    """Literal values: a library that changes them would move rows across a stored holdout."""
    assert hashes_of(a=[1, 2, None], b=["x", None, ""]).tolist() == [
        6386925682578021949,
        17371297902751648167,
        9803418666463439761,
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([1, 2]), pa.array([1.0, 2.0])),
        (pa.array([0.0]), pa.array([-0.0])),
        (pa.array([None, 1.0]), pa.array([float("nan"), 1.0])),
        (pa.array(["a", "b", None]), pa.array(["a", "b", None]).dictionary_encode()),
        (pa.array(["b"]), pa.array(["a", "b"]).dictionary_encode().slice(1)),
        (pa.array([None], pa.string()), pa.array([None], pa.float64())),
    ],
    ids=["widened", "zeros", "nan is missing", "dictionary", "sliced dictionary", "missing of any type"],
)
def test_equal_values_hash_alike(one: pa.Array, other: pa.Array) -> None:
    assert hash_values(one).tolist() == hash_values(other).tolist()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0.0, None, 1.0, 2.0, 1e300]),
        pa.array([0, None, 1]),
        pa.array([False, True, None]),
        pa.array(["", None, "0", "a", "A", " a"]),
        pa.array([0, None, 86_400_000_000], pa.timestamp("us")),
    ],
    ids=str,
)
def test_different_values_hash_differently_and_zero_is_not_missing(values: pa.Array) -> None:
    assert len(set(hash_values(values).tolist())) == len(values)


def test_the_order_of_columns_does_not_matter_but_their_names_do() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], "b": [2, 1]})
    assert hash_rows(batch, ["a", "b"], "s").tolist() == hash_rows(batch, ["b", "a"], "s").tolist()
    assert len(set(hash_rows(batch, ["a", "b"], "s").tolist())) == 2


def test_an_absent_column_hashes_as_a_missing_one() -> None:
    assert (
        hashes_of(a=[1], b=pa.array([None], pa.int64())).tolist()
        == hash_rows(pa.RecordBatch.from_pydict({"a": [1]}), ["a", "b"], "s").tolist()
    )


def test_another_salt_gives_other_hashes() -> None:
    assert hashes_of("one", a=[1]) != hashes_of("two", a=[1])


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["x", "y", None])), min_size=1, max_size=30), st.randoms())
@settings(max_examples=40, deadline=None)
def test_a_rows_hash_depends_on_its_values_alone(rows: list, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    table = pa.table({"a": [a for a, _ in rows], "b": pa.array([b for _, b in rows], pa.string())})
    hashes = row_hashes(ds.dataset(table), ["a", "b"], "s")
    shuffled = row_hashes(ds.dataset(table.take(pa.array(order))), ["a", "b"], "s")
    assert shuffled.tolist() == hashes[order].tolist()
    assert len(set(hashes.tolist())) == len(set(rows))


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([1, None]), ["1", None]),
        (pa.array([1.0, 2.5, float("nan"), float("inf"), None]), ["1", "2.5", None, None, None]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["x", None]).dictionary_encode(), ["x", None]),
        (pa.chunked_array([["x"], ["y"]]), ["x", "y"]),
    ],
)
def test_a_label_reads_the_same_as_integer_and_as_float(array, texts: list) -> None:
    assert label_texts(array).tolist() == texts


@pytest.mark.parametrize(
    ("rows", "share", "expected"), [(1_000, 0.2, 0.2), (250_000, 0.2, 0.2), (500_000, 0.2, 0.1), (0, 0.2, 0.2)]
)
def test_at_most_50_000_rows_are_held_out(rows: int, share: float, expected: float) -> None:
    assert holdout_size(rows, share) == pytest.approx(expected)


def rule_for(table: pa.Table, share: float = 0.2, columns: tuple[str, ...] = ("a",)) -> HoldoutRule:
    labels = np.array(table.column("y").to_pylist(), dtype=str)
    common, own = draw_by_hash(row_hashes(ds.dataset(table), columns, "s"), labels, share)
    return HoldoutRule(
        kind="hash",
        columns=columns,
        salt="s",
        share=share,
        target="y",
        strata="class",
        cutoffs=own,
        default_cutoff=common,
    )


def test_the_share_held_out_is_the_share_asked_for() -> None:
    table = pa.table({"a": np.arange(10_000), "y": np.arange(10_000) % 2})
    for share in (0.05, 0.2, 0.5):
        assert in_holdout(ds.dataset(table), rule_for(table, share)).mean() == pytest.approx(share, abs=0.001)


def test_classes_of_200_rows_get_their_share_within_three_points() -> None:
    table = pa.table({"a": np.arange(4_000), "y": (np.arange(4_000) % 20 == 0).astype(int)})
    held = in_holdout(ds.dataset(table), rule_for(table))
    rare = table.column("y").to_numpy() == 1
    assert held[rare].mean() == pytest.approx(0.2, abs=0.09)
    assert held.mean() == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("rows", [2, 3, 5, 20])
def test_a_rare_class_of_two_rows_or_more_stands_on_both_sides(rows: int) -> None:
    labels = ["rare"] * rows + ["common"] * 500
    table = pa.table({"a": np.arange(len(labels)), "y": labels})
    held = in_holdout(ds.dataset(table), rule_for(table))
    assert 0 < held[:rows].sum() < rows


def test_equal_rows_stay_together() -> None:
    table = pa.table({"a": np.arange(3_000) % 300, "y": np.arange(3_000) % 2})
    held = in_holdout(ds.dataset(table), rule_for(table))
    values = table.column("a").to_numpy()
    assert not set(values[held]) & set(values[~held])
    assert held.mean() == pytest.approx(0.2, abs=0.02)


def test_the_rule_decides_for_later_rows_the_same() -> None:
    table = pa.table({"a": np.arange(1_000), "y": np.arange(1_000) % 2})
    rule = rule_for(table)
    held = in_holdout(ds.dataset(table), rule)
    later = pa.table({"a": np.arange(500, 2_000), "y": np.arange(500, 2_000) % 3})
    assert in_holdout(ds.dataset(later), rule)[:500].tolist() == held[500:].tolist()
    assert in_holdout(ds.dataset(later.select(["a"])), rule)[:500].tolist() == held[500:].tolist()


@pytest.mark.parametrize(
    ("hashes", "share", "cutoff"),
    [([10, 20, 30, 40, 50], 0.2, 20), ([10, 20], 0.2, 20), ([10, 10], 0.2, 0), ([], 0.2, 0), ([1, 2, 3, 4], 0.5, 3)],
)
def test_the_cut_off_leaves_something_on_both_sides_where_it_can(hashes: list, share: float, cutoff: int) -> None:
    common, own = draw_by_hash(np.array(hashes, dtype=np.uint64), np.array([""] * len(hashes)), share)
    assert common == cutoff
    assert own == ({"": cutoff} if hashes else {})


@pytest.mark.parametrize(
    ("column", "newest_from", "held"),
    [
        (pa.array([1, 2, 3, None]), "2", [False, True, True, False]),
        (pa.array([-1, 0]), "0", [False, True]),
        (pa.array(["2020-01", "2020-03"]), "2020-02", [False, True]),
        (pa.array([0, 10**15], pa.timestamp("us")), "1990-01-01T00:00:00", [False, True]),
        (pa.array([0, 10**15], pa.timestamp("us", tz="UTC")), "1990-01-01T00:00:00+00:00", [False, True]),
        (pa.array([1, 2]), None, [False, False]),
    ],
)
def test_a_time_rule_holds_out_what_is_newer(column: pa.Array, newest_from: str | None, held: list[bool]) -> None:
    rule = HoldoutRule(kind="time", columns=("t",), salt="s", share=0.2, target="y", newest_from=newest_from)
    assert in_holdout(ds.dataset(pa.table({"t": column})), rule).tolist() == held


def test_boundaries_are_the_inner_deciles() -> None:
    assert quantile_boundaries(np.arange(101.0)) == pytest.approx((10, 20, 30, 40, 50, 60, 70, 80, 90))
    assert quantile_boundaries(np.ones(5)) == (1.0,)


@pytest.mark.parametrize("seed", [0, 1])
def test_folds_are_balanced_within_strata(seed: int) -> None:
    strata = np.array(["a"] * 103 + ["b"] * 17)
    folds = assign_folds(strata, folds=5, seed=seed)
    for name in ("a", "b"):
        counts = np.bincount(folds[strata == name], minlength=5)
        assert counts.max() - counts.min() <= 1
    total = np.bincount(folds, minlength=5)
    assert total.tolist() == [24] * 5
    assert folds.tolist() == assign_folds(strata, folds=5, seed=seed).tolist()


def test_another_seed_gives_other_folds() -> None:
    strata = np.array(["a"] * 100)
    assert (assign_folds(strata, folds=5, seed=0) != assign_folds(strata, folds=5, seed=1)).any()


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("ab")), min_size=1, max_size=60), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_rows_of_a_group_share_a_fold(rows: list, folds: int) -> None:
    groups = np.array([group for group, _ in rows])
    given_folds = assign_folds(np.array([label for _, label in rows]), folds=folds, seed=0, groups=groups)
    assert set(given_folds) <= set(range(folds))
    for group in set(groups):
        assert len(set(given_folds[groups == group])) == 1


def test_folds_of_unequal_groups_are_still_even() -> None:
    groups = np.repeat(np.arange(20), np.arange(1, 21) * 5)
    folds = assign_folds(np.array(["a"] * len(groups)), folds=5, seed=0, groups=groups)
    assert np.bincount(folds).max() <= 1.15 * len(groups) / 5


def test_a_time_fold_is_judged_on_the_newest_rows() -> None:
    assert time_fold(np.array([5, 1, 4, 2, 3]), 0.2).tolist() == [0, -1, -1, -1, -1]
    assert time_fold(np.arange(10), 0.3).tolist() == [-1] * 7 + [0] * 3
