"""What a fit will need: a default, then what was measured, kept from one study to the next."""

import json
from pathlib import Path

import pytest

from automl_assets.learn.families import Shape, registry
from automl_assets.tuning.memory import NEEDS, SAFETY, MemoryModel, Need

SMALL = Shape(1_000, 10, 2)

MEASURED = [  # MiB of the process's own, measured by the runner with one thread, the families' defaults
    ("linear", Shape(16_000, 50, 0), 70),
    ("linear", Shape(80_000, 15, 5), 100),
    ("lightgbm", Shape(800, 10, 2), 27),
    ("lightgbm", Shape(80_000, 15, 5), 82),
    ("catboost", Shape(4_000, 20, 8), 52),
    ("catboost", Shape(80_000, 15, 5), 96),
    ("xgboost", Shape(16_000, 50, 0), 57),
    ("xgboost", Shape(80_000, 15, 5), 77),
    ("extra_trees", Shape(16_000, 10, 2), 113),
    ("extra_trees", Shape(80_000, 15, 5), 168),
    ("hist_gradient_boosting", Shape(80_000, 15, 5), 59),
    ("neighbours", Shape(16_000, 50, 0), 82),
    ("svm", Shape(4_000, 20, 8), 79),
    ("network", Shape(80_000, 15, 5), 57),
]


def params(family: str, shape: Shape = SMALL) -> dict[str, object]:
    return registry.get(family).defaults(shape)


@pytest.mark.parametrize(("family", "shape", "mb"), MEASURED)
def test_the_default_is_near_what_was_measured_and_rather_too_much(family: str, shape: Shape, mb: float) -> None:
    assert 0.95 * mb <= MemoryModel().mb(family, params(family, shape), shape) <= 2.5 * mb


@pytest.mark.parametrize(
    ("need", "given", "shape", "mb"),
    [
        (Need(10, 0, row_bytes=0), {}, Shape(1_000, 10, 2), 10),
        (Need(10, 1, row_bytes=0), {}, Shape(2**20, 4, 0), 14),
        (Need(10, 0, row_bytes=2), {}, Shape(2**20, 4, 3), 16),
        (Need(10, 0, row_bytes=2, most_rows=2**19), {}, Shape(2**20, 4, 3), 13),
        (Need(0, 0, row_bytes=0, histograms="leaves"), {"leaves": 64}, Shape(9, 8, 5), 2),
        (Need(0, 0, row_bytes=0, histograms="depth", by_depth=True), {"depth": 6}, Shape(9, 8, 5), 2),
        (Need(0, 0, row_bytes=0, histograms="leaves", each_class=True), {"leaves": 64}, Shape(9, 8, 5), 10),
        (Need(0, 0, row_bytes=0, histograms="leaves", each_class=True), {"leaves": 64}, Shape(9, 8, 2), 2),
    ],
)
def test_a_need_adds_up(need: Need, given: dict[str, object], shape: Shape, mb: float) -> None:
    assert need.mb(given, shape) == pytest.approx(mb)


@pytest.mark.parametrize(
    ("family", "fewer", "more"),
    [("lightgbm", {"num_leaves": 4}, {"num_leaves": 255}), ("xgboost", {"max_depth": 2}, {"max_depth": 10})],
)
def test_more_leaves_more_rows_and_more_columns_need_more(family: str, fewer: dict, more: dict) -> None:
    model, wide = MemoryModel(), Shape(1_000, 100, 2)
    assert model.mb(family, fewer, wide) < model.mb(family, more, wide)
    assert (
        model.mb(family, fewer, SMALL) < model.mb(family, fewer, wide) < model.mb(family, fewer, Shape(10**6, 100, 2))
    )


def test_a_family_without_a_default_has_one() -> None:
    assert MemoryModel().mb("a_new_family", {}, SMALL) > 0


USUAL = NEEDS["lightgbm"].mb(params("lightgbm"), SMALL)


@pytest.mark.parametrize(
    ("peaks", "ratio"),
    [
        ([], 1),
        ([(2, True)], 2),
        ([(2, True), (3, True), (1, True)], 3),
        ([(0, True), (float("nan"), True), (float("inf"), True)], 1),
        ([(5, False)], 5),
        ([(2, True), (1, False)], 2),
        ([(2, True), (4, False)], 4),
        ([(9, True), *[(1, True)] * 19], 1),
        ([(9, True), *[(2, True)] * 50], 2),
    ],
    ids=str,
)
def test_what_was_seen_scales_what_is_predicted(peaks: list[tuple[float, bool]], ratio: float) -> None:
    model = MemoryModel()
    for times, complete in peaks:
        model.observe("lightgbm", params("lightgbm"), SMALL, times * USUAL, complete=complete)
    assert model.mb("lightgbm", params("lightgbm"), SMALL) == pytest.approx(SAFETY * USUAL * ratio, rel=1e-3)
    assert model.mb("xgboost", params("xgboost"), SMALL) == MemoryModel().mb("xgboost", params("xgboost"), SMALL)


def test_a_later_study_starts_from_what_an_earlier_one_learnt(tmp_path: Path) -> None:
    file = tmp_path / "learnt" / "memory.json"
    first = MemoryModel.load(file)
    first.observe("lightgbm", params("lightgbm"), SMALL, 3 * USUAL, complete=True)
    first.save()
    later = MemoryModel.load(file)
    assert later.mb("lightgbm", params("lightgbm"), SMALL) == first.mb("lightgbm", params("lightgbm"), SMALL)
    assert [path.name for path in file.parent.iterdir()] == ["memory.json"]


def test_without_a_file_nothing_is_kept() -> None:
    MemoryModel.load(None).save()


def file_of(ratios: object, version: object = 1) -> str:
    return json.dumps({"version": version, "ratios": ratios})


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("", 1),
        ('{"version": 1, "rat', 1),
        ("[1, 2]", 1),
        ("null", 1),
        (file_of({"lightgbm": [2.0]}, version=99), 1),
        (file_of([2.0]), 1),
        (file_of({"lightgbm": 2.0}), 1),
        (file_of({"lightgbm": ["2", None, True, -3, 0, 2.0]}), 2),
        ('{"version": 1, "ratios": {"lightgbm": [NaN, Infinity, 2]}}', 2),
        (file_of({"gone": [1.0], "lightgbm": [2.0]}), 2),
    ],
)
def test_a_file_that_is_damaged_counts_as_far_as_it_can_be_read(tmp_path: Path, text: str, ratio: float) -> None:
    file = tmp_path / "memory.json"
    file.write_text(text)
    model = MemoryModel.load(file)
    assert model.mb("lightgbm", params("lightgbm"), SMALL) == pytest.approx(SAFETY * USUAL * ratio)
    model.save()
    assert MemoryModel.load(file).mb("lightgbm", params("lightgbm"), SMALL) == pytest.approx(SAFETY * USUAL * ratio)


def test_a_file_of_bytes_that_are_no_text_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_bytes(b"\xff\xfe\x00")
    assert MemoryModel.load(file).mb("svm", params("svm"), SMALL) == MemoryModel().mb("svm", params("svm"), SMALL)
