from pathlib import Path

import numpy as np
import pytest

from automl_assets.core.errors import FitError
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import metric_named
from automl_assets.registration.compare import (
    Answer,
    Contender,
    calibration_loss,
    compare_models,
    contest,
    slice_gains,
    why_not_comparable,
)
from automl_assets.registration.gate import Comparison, Sides
from tests.training.small_models import MEMORY_MB, Small, raw_table


@pytest.mark.parametrize(
    ("challenger", "champion", "gain"),
    [([1.0, 2.0], [1.0, 3.0], 0.5), ([1.0, 3.0], [1.0, 2.0], -0.5), ([2.0, 2.0], [2.0, 2.0], 0.0)],
)
def test_models_are_compared_on_the_same_rows(challenger: list[float], champion: list[float], gain: float) -> None:
    answers = {"challenger": Answer(np.array(challenger), 2.0), "champion": Answer(np.array(champion), 1.0)}

    found = compare_models(answers.__getitem__, np.array([1.0, 2.0]), champion_version="4", metric="mae")

    assert (found.champion_version, found.rows, found.champion_fits_schema) == ("4", 2, True)
    assert found.gain is not None
    assert found.gain.value == pytest.approx(gain)
    assert found.scores is not None
    assert found.scores.champion - found.scores.challenger == pytest.approx(gain)
    assert (found.row_ms, found.calibration) == (Sides(2.0, 1.0), None)


def test_without_shared_rows_nothing_is_compared() -> None:
    found = compare_models(lambda who: pytest.fail("asked"), np.empty(0), champion_version="4", metric="mae")

    assert found == Comparison("4", 0, None)


@pytest.mark.parametrize(
    ("who_can", "expected"),
    [
        ("challenger", Comparison("4", 3, None, champion_fits_schema=False)),
        ("champion", Comparison("4", 3, None, challenger_fits_schema=False)),
    ],
)
def test_a_version_that_can_not_score_the_rows_does_not_fit(who_can: str, expected: Comparison) -> None:
    found = compare_models(
        lambda who: Answer(np.zeros(3)) if who == who_can else None, np.zeros(3), champion_version="4", metric="mae"
    )

    assert found == expected


# ---- groups ------------------------------------------------------------------------------------------------------


def test_each_large_group_has_its_own_gain() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=450)
    groups = np.array(["F"] * 200 + ["M"] * 150 + ["X"] * 99 + ["Y"])
    champion = y + generator.normal(size=450)
    challenger = np.where(groups == "F", y + 2 * (champion - y), y)

    found = slice_gains(metric_named("mae"), y, challenger, champion, {"sex": groups})

    assert [(one.column, one.group, one.rows) for one in found] == [("sex", "F", 200), ("sex", "M", 150)]
    assert found[0].gain.high < 0 < found[1].gain.low


def test_a_group_in_which_the_metric_is_undefined_is_left_out() -> None:
    y = np.array([0, 1] * 100 + [1] * 100)
    predicted = np.column_stack([np.linspace(0, 1, 300), np.linspace(1, 0, 300)])

    found = slice_gains(
        metric_named("roc_auc"), y, predicted, predicted, {"g": np.array(["both"] * 200 + ["one class"] * 100)}
    )

    assert [one.group for one in found] == ["both"]


# ---- calibration -------------------------------------------------------------------------------------------------


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and the very probabilities that they were drawn from."""
    generator = np.random.default_rng(seed)
    p = generator.uniform(size=rows)
    return (generator.uniform(size=rows) < p).astype(int), np.column_stack([1 - p, p])


def overconfident(predicted: np.ndarray) -> np.ndarray:
    sharper = predicted**3
    return sharper / sharper.sum(axis=1, keepdims=True)


def test_an_overconfident_challenger_has_a_larger_error_for_sure() -> None:
    y, honest = drawn(5_000)

    found = calibration_loss(y, overconfident(honest), honest)

    assert found.error.champion < 0.02
    assert found.loss.value == pytest.approx(found.error.challenger - found.error.champion)
    assert found.loss.value > 0.05
    assert found.loss.low > 0.03


def test_the_error_is_the_gap_between_confidence_and_truth() -> None:
    y = np.array([0, 0, 0, 1] * 50)
    certain = np.tile([1.0, 0.0], (200, 1))

    found = calibration_loss(y, certain, np.tile([0.75, 0.25], (200, 1)))

    assert (found.error.challenger, found.error.champion) == pytest.approx((0.25, 0.0))


def test_a_few_rows_prove_no_loss() -> None:
    proofs = 0
    for seed in range(20):
        y, honest = drawn(100, seed)
        noisy = np.clip(honest + np.random.default_rng(seed).normal(0, 0.02, (100, 1)) * [-1, 1], 0.01, 0.99)
        loss = calibration_loss(y, noisy / noisy.sum(axis=1, keepdims=True), honest, seed=seed).loss
        proofs += loss.value > 0.02 and loss.low > 0
    assert proofs <= 1


# ---- real models -------------------------------------------------------------------------------------------------


def a_contender(small: Small, version: str) -> Contender:
    return Contender(version, small.folder, small.model.digest)


def test_a_model_against_itself_is_a_tie_with_both_timed(small: Small, runner: Runner) -> None:
    model = small.load()
    rows = raw_table(small.problem.kind, rows=150, seed=5)
    y = np.arange(150) % 2 if model.card.classes else np.asarray(rows.column("y"))

    found = contest(
        a_contender(small, "2"), a_contender(small, "1"), rows, y, model.card, runner,
        groups={"all": np.array(["same"] * 150)}, memory_mb=MEMORY_MB,
    )  # fmt: skip

    assert (found.champion_version, found.rows) == ("1", 150)
    assert found.gain is not None
    assert (found.gain.value, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)
    assert [(one.rows, one.gain.value) for one in found.slices] == [(150, 0.0)]
    assert found.row_ms is not None
    assert 0 < found.row_ms.challenger < 10_000
    assert (found.calibration is None) == (not model.card.classes)


def test_a_model_of_another_problem_can_not_judge(binary: Small, regression: Small, runner: Runner) -> None:
    rows = raw_table("binary", rows=30)

    found = contest(
        a_contender(binary, "2"), a_contender(regression, "1"), rows, np.arange(30) % 2, binary.load().card, runner,
        groups={}, memory_mb=MEMORY_MB,
    )  # fmt: skip

    assert found == Comparison("1", 30, None, champion_fits_schema=False)
    assert why_not_comparable(binary.load().card, regression.load().card) == (
        "one solves a binary problem, the other a regression one"
    )
    assert why_not_comparable(binary.load().card, binary.load().card) is None


def test_a_model_with_another_digest_than_the_registered_one_judges_nothing(binary: Small, runner: Runner) -> None:
    tampered = Contender("1", Path(binary.folder), "another digest")

    with pytest.raises(FitError, match="not the ones that were registered"):
        contest(
            a_contender(binary, "2"), tampered, raw_table("binary", rows=30), np.arange(30) % 2, binary.load().card,
            runner, groups={}, memory_mb=MEMORY_MB,
        )  # fmt: skip
