import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.learn.score import METRICS
from automl_assets.monitoring.performance import LEAST_ROWS, judge_performance
from automl_assets.problems.target import encode_target
from automl_assets.training.model import ModelCard
from tests.training.small_models import Small, raw_table


def predictions_of(small: Small, raw: pa.Table) -> "ds.Dataset":
    model = small.load()
    predicted = model.predict(raw)
    if not model.card.classes:
        return ds.dataset(pa.table({"prediction": predicted}))
    return ds.dataset(pa.table({f"probability_{label}": predicted[:, k] for k, label in enumerate(model.card.classes)}))


def test_a_new_batch_is_judged_on_all_its_labelled_rows(small: Small) -> None:
    raw = raw_table(small.problem.kind, rows=200, seed=5)
    blanked = raw.set_column(4, "y", pa.array([None] * 50 + raw.column("y").to_pylist()[50:]))
    card = ModelCard.read(small.folder)

    report = judge_performance(ds.dataset(blanked), "a new batch", predictions_of(small, raw), card)

    y, _ = encode_target(raw.column("y"), card.classes)
    expected = METRICS[card.metric](y[50:], small.load().predict(raw)[50:])
    assert report.rows == 150
    assert report.value is not None
    assert report.value.value == pytest.approx(expected)
    assert report.value.low < expected < report.value.high
    assert "arrived after" in report.reason


def test_a_batch_of_the_window_is_judged_on_its_holdout_rows(small: Small) -> None:
    card = ModelCard.read(small.folder)

    report = judge_performance(ds.dataset(small.raw), "the training batch", predictions_of(small, small.raw), card)

    held = small.rows["holdout"]
    y, _ = encode_target(small.raw.column("y"), card.classes)
    assert report.rows == held.sum()
    assert report.value is not None
    assert report.value.value == pytest.approx(METRICS[card.metric](y[held], small.load().predict(small.raw)[held]))
    assert "holdout" in report.reason


def test_without_a_target_there_is_no_value(binary: Small) -> None:
    raw = binary.raw.drop_columns(["y"])

    report = judge_performance(ds.dataset(raw), "new", predictions_of(binary, raw), ModelCard.read(binary.folder))

    assert (report.value, report.rows, report.reason) == (None, 0, "the batch has no target column")


def test_too_few_labels_make_no_value(regression: Small) -> None:
    raw = raw_table("regression", rows=LEAST_ROWS - 1, seed=5)

    report = judge_performance(
        ds.dataset(raw), "new", predictions_of(regression, raw), ModelCard.read(regression.folder)
    )

    assert (report.value, report.rows) == (None, LEAST_ROWS - 1)
    assert report.reason.startswith(f"{LEAST_ROWS - 1} labelled rows")


def test_one_class_alone_has_no_auc(binary: Small) -> None:
    raw = raw_table("binary", rows=30, seed=5)
    raw = raw.set_column(4, "y", pa.array(["yes"] * 30))

    report = judge_performance(ds.dataset(raw), "new", predictions_of(binary, raw), ModelCard.read(binary.folder))

    assert (report.value, report.rows, report.reason) == (None, 30, "roc_auc is undefined on these rows")


def test_rows_of_an_unknown_class_do_not_count(binary: Small) -> None:
    raw = raw_table("binary", rows=100, seed=5)
    labels = np.array(raw.column("y").to_pylist(), dtype=object)
    labels[:10] = "perhaps"
    raw = raw.set_column(4, "y", pa.array(labels.tolist()))

    report = judge_performance(ds.dataset(raw), "new", predictions_of(binary, raw), ModelCard.read(binary.folder))

    assert report.rows == 90
