from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.evidence import LabelMatch, PerformanceReport
from automl_assets.core.values import value_from_document
from automl_assets.evaluation.expectations import Expectations, build_expectations
from automl_assets.ingestion.labels import match_labels
from automl_assets.learn.expected import loss_metric
from automl_assets.learn.score import METRICS
from automl_assets.monitoring.performance import (
    LEAST_GROUP_ROWS,
    LEAST_ROWS,
    MOST_GROUPS,
    WatchedBatch,
    judge_performance,
    predictions_of,
    slice_scores,
)
from automl_assets.problems.target import encode_target
from automl_assets.training.model import ModelCard
from tests.training.small_models import Small, raw_table


def predictions(small: Small, raw: pa.Table) -> "ds.Dataset":
    model = small.load()
    predicted = model.predict(raw)
    if not model.card.classes:
        return ds.dataset(pa.table({"prediction": predicted}))
    return ds.dataset(pa.table({f"probability_{label}": predicted[:, k] for k, label in enumerate(model.card.classes)}))


def watched(small: Small, raw: pa.Table, digest: str = "a new batch", **known: Any) -> WatchedBatch:
    return WatchedBatch(ds.dataset(raw), digest, predictions(small, raw), ModelCard.read(small.folder), **known)


def judge(small: Small, raw: pa.Table, digest: str = "a new batch", **known: Any) -> PerformanceReport:
    return judge_performance(watched(small, raw, digest, **known), tolerance=0.02)


def expectations(small: Small, rows: int = 800) -> Expectations:
    """As if these rows, which the model has not seen, were its holdout."""
    raw, card = raw_table(small.problem.kind, rows=rows, seed=77), ModelCard.read(small.folder)
    y, _ = encode_target(raw.column("y"), card.classes)
    predicted = small.load().predict(raw)
    rows_of = loss_metric(card.metric).rows if not card.classes else None
    losses = None if rows_of is None else np.full(rows, rows_of(y, predicted).mean())
    return build_expectations(card.metric, y, predicted, target=y, losses=losses)


def turned(raw: pa.Table) -> pa.Table:
    """Rows whose target follows from the features in another way."""
    wrong = raw.column("y").to_pylist()
    classes = sorted({str(label) for label in wrong})
    other = [-3 * v for v in wrong] if isinstance(wrong[0], float) else [classes[-1 - classes.index(v)] for v in wrong]
    return raw.set_column(4, "y", pa.array(other))


def test_a_new_batch_is_judged_on_all_its_labelled_rows(small: Small) -> None:
    raw = raw_table(small.problem.kind, rows=200, seed=5)
    blanked = raw.set_column(4, "y", pa.array([None] * 50 + raw.column("y").to_pylist()[50:]))
    card = ModelCard.read(small.folder)

    report = judge(small, blanked)

    y, _ = encode_target(raw.column("y"), card.classes)
    expected = METRICS[card.metric](y[50:], small.load().predict(raw)[50:])
    assert report.rows == 150
    assert report.value is not None
    assert report.value.value == pytest.approx(expected)
    assert report.value.low < expected < report.value.high
    assert "arrived after" in report.reason


def test_a_batch_of_the_window_is_judged_on_its_holdout_rows(small: Small) -> None:
    card = ModelCard.read(small.folder)

    report = judge(small, small.raw, "the training batch")

    held = small.rows["holdout"]
    y, _ = encode_target(small.raw.column("y"), card.classes)
    assert report.rows == held.sum()
    assert report.value is not None
    assert report.value.value == pytest.approx(METRICS[card.metric](y[held], small.load().predict(small.raw)[held]))
    assert "holdout" in report.reason


def test_a_batch_like_the_holdout_has_no_certain_drop_and_a_turned_one_has(small: Small) -> None:
    expected = expectations(small)
    raw = raw_table(small.problem.kind, rows=600, seed=6)

    same = judge(small, raw, expectations=expected)
    worse = judge(small, turned(raw), expectations=expected)

    assert same.drop is not None
    assert worse.drop is not None
    assert same.reference == expected.realised.value  # type: ignore[union-attr]
    assert not same.drop.certain(3.0)
    assert worse.drop.certain(3.0)
    assert [alarm.alarmed for alarm in same.concept] == [False, False]
    assert [alarm.alarmed for alarm in worse.concept] == [True, True]
    assert same.target is not None
    assert not same.target.drifted
    assert same.predictions is not None
    assert not same.predictions.drifted
    assert value_from_document(worse.to_document()) == worse


def test_without_labels_classes_are_estimated(binary: Small) -> None:
    raw = raw_table("binary", rows=600, seed=6)

    report = judge(binary, raw.drop_columns(["y"]), expectations=expectations(binary))
    labelled = judge(binary, raw)

    assert (report.value, report.drop, report.rows, report.reason) == (None, None, 0, "the batch has no target column")
    assert (report.concept, report.slices, report.target) == ((), (), None)
    assert report.estimated is not None
    assert labelled.value is not None
    assert report.estimated.value == pytest.approx(labelled.value.value, abs=0.04)
    assert report.estimated_drop is not None
    assert report.predictions is not None


def test_numbers_are_estimated_from_the_losses_of_unseen_rows(regression: Small) -> None:
    raw = regression.raw.drop_columns(["y"])
    held = regression.rows["holdout"]

    report = judge(regression, raw, "the training batch", losses=np.where(held, 4.0, 100.0))
    silent = judge(regression, raw, no_losses="the model was registered without a loss model")

    assert report.estimated is not None
    assert report.estimated.value == 2.0
    assert silent.estimated is None
    assert silent.estimate_reason == "not estimated: the model was registered without a loss model"


def test_labels_that_came_later_judge_the_rows_that_they_are_of(binary: Small) -> None:
    raw = raw_table("binary", rows=200, seed=5)
    later = ds.dataset(raw.select(["id", "y"]).slice(0, 120).append_column("z", pa.array([1] * 120)))
    labels = match_labels(ds.dataset(raw.drop_columns(["y"])), later, target="y", key=["id"])

    report = judge(binary, raw.drop_columns(["y"]), labels=labels)
    own = judge(binary, raw.slice(0, 120))

    assert report.labels == LabelMatch(matched=120, waiting=80)
    assert report.rows == 120
    assert report.value == own.value


def test_immature_labels_are_counted_and_not_used(binary: Small) -> None:
    raw = raw_table("binary", rows=200, seed=5)
    labels = match_labels(ds.dataset(raw), ds.dataset(raw), target="y", key=["id"])

    report = judge(binary, raw, labels=labels, matures_on=datetime(2026, 12, 24, tzinfo=UTC))

    assert (report.value, report.rows, report.reason) == (None, 200, "labels mature on 2026-12-24")
    assert report.labels == LabelMatch(matched=200, waiting=0)
    assert report.estimated is not None


@pytest.mark.parametrize("rows", [0, LEAST_ROWS - 1])
def test_too_few_labels_make_no_value(regression: Small, rows: int) -> None:
    report = judge(regression, raw_table("regression", rows=LEAST_ROWS - 1, seed=5).slice(0, rows))

    assert (report.value, report.rows) == (None, rows)
    assert report.reason.startswith(f"{rows} labelled rows")


def test_one_class_alone_has_no_auc(binary: Small) -> None:
    raw = raw_table("binary", rows=30, seed=5)

    report = judge(binary, raw.set_column(4, "y", pa.array(["yes"] * 30)))

    assert (report.value, report.rows, report.reason) == (None, 30, "roc_auc is undefined on these rows")


def test_rows_of_an_unknown_class_do_not_count(binary: Small) -> None:
    raw = raw_table("binary", rows=100, seed=5)
    labels = np.array(raw.column("y").to_pylist(), dtype=object)
    labels[:10] = "perhaps"

    assert judge(binary, raw.set_column(4, "y", pa.array(labels.tolist()))).rows == 90


def test_weights_count(binary: Small) -> None:
    raw = raw_table("binary", rows=300, seed=5)
    weight = np.random.default_rng(0).uniform(0, 3, 300)
    raw = raw.append_column("w", pa.array(weight))
    y, _ = encode_target(raw.column("y"), ("no", "yes"))

    report = judge(binary, raw, weight="w")

    assert report.value is not None
    assert report.value.value == pytest.approx(METRICS["roc_auc"](y, binary.load().predict(raw), weight))
    assert judge(binary, raw, weight="not there").value == judge(binary, raw).value


def test_groups_are_scored_with_their_intervals(binary: Small) -> None:
    raw = raw_table("binary", rows=400, seed=5)
    batch = watched(binary, raw)

    report = judge_performance(batch, tolerance=0.02, slices=["city", "gone"])

    assert {s.group for s in report.slices} == {"Bern ", "Basel", " Chur"}
    assert sum(s.rows for s in report.slices) == 400
    for found in report.slices:
        assert found.column == "city"
        assert found.score is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.score < found.high


def test_small_groups_and_too_many_are_left_out_and_one_class_has_no_score() -> None:
    sizes = [LEAST_GROUP_ROWS - 1, *range(LEAST_GROUP_ROWS, LEAST_GROUP_ROWS + MOST_GROUPS + 2)]
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    p = np.random.default_rng(0).random(len(groups))
    y = (np.arange(len(groups)) % 2) * (groups != f"g{len(sizes) - 1}")
    raw = ds.dataset(pa.table({"g": groups}))
    judged = np.ones(len(groups), dtype=bool)

    found = slice_scores(METRICS["roc_auc"], raw, judged, y, np.column_stack([1 - p, p]), columns=["g"])

    assert len(found) == MOST_GROUPS
    assert [s.rows for s in found] == sorted(sizes, reverse=True)[:MOST_GROUPS]
    assert (found[0].score, found[0].low, found[0].high) == (None, None, None)


def test_missing_groups_are_a_group() -> None:
    raw = ds.dataset(pa.table({"g": [None] * 50}))
    y, predicted = np.zeros(50), np.ones(50)

    (found,) = slice_scores(METRICS["mae"], raw, np.ones(50, dtype=bool), y, predicted, columns=["g"])

    assert (found.group, found.rows, found.score) == ("(missing)", 50, 1.0)


def test_stored_predictions_are_the_models(small: Small) -> None:
    raw, card = raw_table(small.problem.kind, rows=30), ModelCard.read(small.folder)

    np.testing.assert_array_equal(predictions_of(predictions(small, raw), card), small.load().predict(raw))


def test_a_row_of_an_alarm_is_its_place_in_the_batch(binary: Small) -> None:
    raw = turned(raw_table("binary", rows=900, seed=6))
    blanked = raw.set_column(4, "y", pa.array([None] * 400 + raw.column("y").to_pylist()[400:]))

    report = judge(binary, blanked, expectations=expectations(binary))

    assert all(alarm.at_row is not None and alarm.at_row >= 400 for alarm in report.concept)
