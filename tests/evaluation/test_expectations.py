import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.errors import StorageError
from automl_assets.core.values import Column
from automl_assets.evaluation.expectations import (
    SKETCH_POINTS,
    Expectations,
    bounded_errors,
    build_expectations,
    error_scale,
    load_expectations,
    save_expectations,
    shares_of,
    sketch_of,
    summary_of,
)
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import METRICS, bootstrap
from automl_assets.problems.target import encode_target
from automl_assets.training.losses import expected_losses
from tests.training.small_models import MEMORY_MB, PLAN, Small


def binary(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-generator.normal(0, 1.5, rows)))
    return (generator.random(rows) < p).astype(int), np.column_stack([1 - p, p])


def found_of(rows: int = 1_000, metric: str = "roc_auc", seed: int = 0) -> Expectations:
    y, predicted = binary(rows, seed)
    return build_expectations(metric, y, predicted, target=np.repeat([0, 1], [300, 100]))


def test_classes_have_their_metric_its_estimate_and_shares() -> None:
    y, predicted = binary(1_000)
    found = found_of()

    assert found.realised is not None
    assert found.estimated is not None
    assert found.realised.value == METRICS["roc_auc"](y, predicted)
    assert found.realised.standard_error == pytest.approx(
        bootstrap(METRICS["roc_auc"], y, [predicted], seed=1).std(), rel=0.15
    )
    assert abs(found.realised.value - found.estimated.value) < 4 * found.realised.standard_error
    assert found.estimated.standard_error < found.realised.standard_error
    assert found.target_shares == (0.75, 0.25)
    assert (found.rows, found.target_rows, found.target) == (1_000, 400, None)
    assert found.predicted_shares == pytest.approx((1 - predicted[:, 1].round().mean(), predicted[:, 1].round().mean()))


def test_numbers_have_sketches_and_an_estimate_where_losses_are_known() -> None:
    generator = np.random.default_rng(0)
    predicted = generator.normal(0, 3, 2_000)
    y = predicted + generator.normal(0, 1, 2_000)
    target = np.r_[np.arange(100.0), np.nan]

    blind = build_expectations("rmse", y, predicted, target=target)
    found = build_expectations("rmse", y, predicted, target=target, losses=np.ones(2_000))

    assert blind.estimated is None
    assert found.estimated is not None
    assert found.estimated.value == 1.0
    assert found.target is not None
    assert found.target.points == tuple(np.arange(100.0))
    assert found.target_shares == found.predicted_shares == ()
    assert found.error_scale == pytest.approx(np.quantile(abs(y - predicted), 0.99))


def test_weights_count_in_the_metric_and_its_estimate() -> None:
    y, predicted = binary(800)
    weight = np.random.default_rng(0).uniform(0.1, 5, 800)

    found = build_expectations("log_loss", y, predicted, target=y, weight=weight)

    assert found.realised is not None
    assert found.realised.value == METRICS["log_loss"](y, predicted, weight)


def test_one_class_alone_has_no_realised_auc() -> None:
    _, predicted = binary(300)

    found = build_expectations("roc_auc", np.zeros(300, dtype=int), predicted, target=np.array([0, 1]))

    assert found.realised is None
    assert found.estimated is not None


@pytest.mark.parametrize(("rows", "kept"), [(0, 0), (3, 3), (SKETCH_POINTS, SKETCH_POINTS), (100_000, SKETCH_POINTS)])
def test_a_sketch_is_small_and_as_distributed(rows: int, kept: int) -> None:
    values = np.random.default_rng(0).normal(5, 2, rows)

    sketch = sketch_of(values)

    assert (sketch.rows, len(sketch.points)) == (rows, kept)
    assert list(sketch.points) == sorted(sketch.points)
    if rows > 1_000:
        ranks = np.searchsorted(np.sort(values), sketch.points) / rows
        assert abs(ranks - (np.arange(kept) + 0.5) / kept).max() < 1e-3
        assert np.mean(sketch.points) == pytest.approx(values.mean(), abs=0.02)


def test_one_number_a_row_sums_predictions_up() -> None:
    assert summary_of(np.array([[0.3, 0.7]])).tolist() == [0.7]
    assert summary_of(np.array([[0.3, 0.5, 0.2]])).tolist() == [0.5]
    assert summary_of(np.array([3.5])).tolist() == [3.5]
    assert shares_of(np.array([0, 2, 2, 2]), 3) == (0.25, 0.0, 0.75)


def test_errors_are_bounded() -> None:
    assert bounded_errors(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), 1.0).tolist() == pytest.approx(
        [0.1, 0.8]
    )
    assert bounded_errors(np.array([0.0, 0.0]), np.array([1.0, -8.0]), 4.0).tolist() == [0.25, 1.0]
    assert error_scale(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 1.0  # never wrong: nothing to divide by


def test_a_judged_model_has_its_expectations(small: Small, runner: Runner) -> None:
    raw, problem = small.raw.filter(pa.array(small.rows["holdout"])), small.problem
    y, _ = encode_target(raw.column("y"), problem.classes)
    clean = apply_plan(PLAN, raw).select(list(problem.features()))
    predicted = small.load().predict(raw)

    target, _, _ = small.store.labels()
    losses = expected_losses(small.folder, clean, predicted, runner, memory_mb=MEMORY_MB)

    found = build_expectations(problem.metric, y, predicted, target=target, losses=losses)

    assert found.realised is not None
    assert found.estimated is not None
    assert found.realised.value == pytest.approx(METRICS[problem.metric](y, predicted))
    assert found.estimated.value == pytest.approx(found.realised.value, abs=0.25)
    assert found.target_rows == small.rows["train"].sum()


def test_expectations_come_back_equal(tmp_path: Path) -> None:
    found = found_of()

    save_expectations(found, tmp_path / "deep" / "expectations.json")

    assert load_expectations(tmp_path / "deep" / "expectations.json") == found
    assert (tmp_path / "deep" / "expectations.json").stat().st_size < 40_000


def test_an_older_version_has_none(tmp_path: Path) -> None:
    assert load_expectations(tmp_path / "expectations.json") is None


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"kind": "Expectations", "value": {"metric": 1}}', "\udcff"],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "expectations.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(StorageError):
        load_expectations(path)


def test_another_value_is_no_expectations(tmp_path: Path) -> None:
    path = tmp_path / "expectations.json"
    path.write_text(json.dumps(Column(name="a", type="text").to_document()))

    with pytest.raises(StorageError, match="holds a Column"):
        load_expectations(path)
