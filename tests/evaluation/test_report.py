from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as skm
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.values import Evaluation
from automl_assets.evaluation.report import HoldoutRows, Judged, evaluate, paired_gain, roc_points
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import METRICS
from automl_assets.problems.target import encode_target
from tests.training.small_models import MEMORY_MB, PLAN, Small


@dataclass(frozen=True)
class Found:
    """An evaluation with the rows that it was made on."""

    evaluation: Evaluation
    judged: Judged
    y: np.ndarray
    small: Small


_found: dict[str, Found] = {}


@pytest.fixture
def found(small: Small, runner: Runner) -> Found:
    """The evaluation of each small model, made once."""
    problem = small.problem
    if problem.kind not in _found:
        raw = small.raw.filter(pa.array(small.rows["holdout"]))
        y, _ = encode_target(raw.column("y"), problem.classes)
        clean = apply_plan(PLAN, raw).select(list(problem.features()))
        evaluation, judged = evaluate(
            small.folder,
            small.store.folder,
            HoldoutRows(clean, y, None, {"city": raw.column("city")}),
            runner,
            kind=problem.kind,
            metric_name=problem.metric,
            roles=problem.feature_roles(),
            classes=problem.classes,
            seed=0,
            memory_mb=MEMORY_MB,
        )
        _found[problem.kind] = Found(evaluation, judged, y, small)
    return _found[problem.kind]


def test_the_score_is_scikit_learns_within_its_interval(found: Found) -> None:
    y, model, score = found.y, found.judged.model, found.evaluation.holdout
    expected = {
        "binary": lambda: skm.roc_auc_score(y, model[:, 1]),
        "multiclass": lambda: skm.log_loss(y, model, labels=[0, 1, 2]),
        "regression": lambda: skm.root_mean_squared_error(y, model),
    }[found.small.problem.kind]()

    assert score.value == pytest.approx(expected)
    assert score.low < score.value < score.high
    assert found.evaluation.rows == len(y) == int(found.small.rows["holdout"].sum())


def test_the_model_beats_the_dummy_by_far_and_the_gain_is_over_the_linear(found: Found) -> None:
    evaluation = found.evaluation
    metric = METRICS[evaluation.metric]
    sign = 1 if evaluation.higher_is_better else -1

    assert metric.better(evaluation.holdout.value, evaluation.dummy)
    assert metric.better(evaluation.linear, evaluation.dummy)
    gain = evaluation.gain_over_linear
    assert gain.value == pytest.approx(sign * (evaluation.holdout.value - evaluation.linear))
    assert gain.low <= gain.value <= gain.high


def test_the_dummy_knows_nothing_but_the_training_target(found: Found) -> None:
    y_train, _, _ = found.small.store.labels()

    if found.small.problem.kind == "binary":
        assert found.evaluation.dummy == 0.5
    elif found.small.problem.kind == "multiclass":
        shares = (np.bincount(y_train) + 1) / (len(y_train) + 3)
        assert found.evaluation.dummy == pytest.approx(-np.log(shares[found.y]).mean())
    else:
        assert found.evaluation.dummy == pytest.approx(np.sqrt(((found.y - y_train.mean()) ** 2).mean()))


def test_the_linear_baseline_is_as_good_as_scikit_learns_scaled_one_hot_cross_validated_one(found: Found) -> None:
    problem = found.small.problem
    train, test = (
        apply_plan(PLAN, found.small.raw.filter(pa.array(found.small.rows[side]))).to_pandas()
        for side in ("train", "holdout")
    )
    numbers = ["age", "income"]
    prepared = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    median = train[numbers].median()
    for frame in (train, test):
        frame[numbers] = frame[numbers].fillna(median)
    y_train, _, _ = found.small.store.labels()
    metric = METRICS[problem.metric]
    if problem.classes:
        chosen = LogisticRegressionCV(Cs=7, cv=3, scoring="neg_log_loss", use_legacy_attributes=False, l1_ratios=(0,))
        predicted = make_pipeline(prepared, chosen).fit(train, y_train).predict_proba(test)
    else:
        predicted = make_pipeline(prepared, RidgeCV(np.logspace(-3, 3, 7))).fit(train, y_train).predict(test)

    assert found.evaluation.linear == pytest.approx(metric(found.y, predicted), rel=0.05)


def test_every_metric_of_the_kind_is_scikit_learns(found: Found) -> None:
    y, p, told = found.y, found.judged.model, found.evaluation.metrics

    if found.small.problem.kind == "regression":
        expected = {"rmse": skm.root_mean_squared_error(y, p), "mae": skm.mean_absolute_error(y, p),
                    "r2": skm.r2_score(y, p), "mape": skm.mean_absolute_percentage_error(y, p)}  # fmt: skip
    else:
        labels = p.argmax(axis=1)
        expected = {
            "accuracy": skm.accuracy_score(y, labels),
            "balanced_accuracy": skm.balanced_accuracy_score(y, labels),
            "log_loss": skm.log_loss(y, p, labels=list(range(p.shape[1]))),
            "f1": skm.f1_score(y, labels, average="binary" if p.shape[1] == 2 else "macro"),
        }
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_the_confusion_matrix_is_scikit_learns(found: Found) -> None:
    if not found.small.problem.classes:
        assert found.evaluation.confusion == ()
        return

    expected = skm.confusion_matrix(found.y, found.judged.model.argmax(axis=1))
    assert np.array(found.evaluation.confusion).tolist() == expected.tolist()
    assert expected.sum() == len(found.y)


def test_only_two_classes_have_a_roc_curve_and_only_numbers_residuals(found: Found) -> None:
    kind, evaluation = found.small.problem.kind, found.evaluation

    assert bool(evaluation.roc) == (kind == "binary")
    assert bool(evaluation.residual_quantiles) == (kind == "regression")
    if kind == "regression":
        residuals = np.sort(found.y - found.judged.model)
        assert evaluation.residual_quantiles[0] == residuals[0]
        assert evaluation.residual_quantiles[10] == pytest.approx(np.median(residuals))
        assert evaluation.residual_quantiles[20] == residuals[-1]
        assert len(evaluation.residual_quantiles) == 21


def test_importances_are_sorted_and_name_every_feature(found: Found) -> None:
    importances = found.evaluation.importances

    assert set(importances) == {"age", "income", "city"}
    assert list(importances.values()) == sorted(importances.values(), reverse=True)
    assert min(importances.values()) > 0


def test_each_group_of_a_sensitive_column_is_judged_alone(found: Found) -> None:
    raw = found.small.raw.filter(pa.array(found.small.rows["holdout"]))
    cities = np.array(raw.column("city").to_pylist())
    metric = METRICS[found.evaluation.metric]

    slices = {s.group: s for s in found.evaluation.slices}

    assert set(slices) == {"Bern ", "Basel", " Chur"}
    for group, told in slices.items():
        inside = cities == group
        assert (told.column, told.rows) == ("city", inside.sum())
        assert told.score == pytest.approx(metric(found.y[inside], found.judged.model[inside]))


def test_weights_count_in_the_score_and_in_each_group(regression: Small, runner: Runner) -> None:
    raw = regression.raw.filter(pa.array(regression.rows["holdout"]))
    y, _ = encode_target(raw.column("y"), ())
    cities = np.array(raw.column("city").to_pylist())
    weight = np.where(np.arange(len(y)) % 2, 5.0, 1.0)

    evaluation, judged = evaluate(
        regression.folder,
        regression.store.folder,
        HoldoutRows(apply_plan(PLAN, raw), y, weight, {"city": raw.column("city")}),
        runner,
        kind="regression",
        metric_name="mae",
        roles=regression.problem.feature_roles(),
        classes=(),
        seed=0,
        memory_mb=MEMORY_MB,
    )

    error = np.abs(y - judged.model)
    assert evaluation.holdout.value == pytest.approx(np.average(error, weights=weight))
    for told in evaluation.slices:
        inside = cities == told.group
        assert told.score == pytest.approx(np.average(error[inside], weights=weight[inside]))


# ---- pieces ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "positive", "points"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], ((0, 0), (0, 0.5), (0, 1), (0.5, 1), (1, 1))),
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], ((0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1))),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], ((0, 0), (1, 1))),
        ([0, 1, 1, 0], [0.9, 0.9, 0.1, 0.1], ((0, 0), (0.5, 0.5), (1, 1))),
        ([1, 1], [0.2, 0.9], ()),
    ],
)
def test_a_roc_curve_can_be_drawn_by_hand(
    y: list[int], positive: list[float], points: tuple[tuple[float, float], ...]
) -> None:
    p = np.array(positive)

    assert roc_points(np.array(y), np.column_stack([1 - p, p])) == points


def test_a_long_roc_curve_is_scikit_learns_at_no_more_than_fifty_points() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 1000)
    positive = (generator.normal(size=1000) + y).round(3)

    points = np.array(roc_points(y, np.column_stack([-positive, positive])))

    false, true, _ = skm.roc_curve(y, positive, drop_intermediate=False)
    assert len(points) == 50
    assert {tuple(point) for point in points} <= set(zip(false.round(4), true.round(4), strict=True))
    assert (np.diff(points, axis=0) >= 0).all()


@pytest.mark.parametrize(
    ("metric", "champion", "challenger", "gain"),
    [
        ("mae", [2.0, 2.0, 2.0], [1.0, 1.0, 1.0], (1.0, 1.0, 1.0)),
        ("mae", [1.0, 1.0, 1.0], [2.0, 2.0, 2.0], (-1.0, -1.0, -1.0)),
        ("mae", [1.0, 5.0, 1.0], [1.0, 5.0, 1.0], (0.0, 0.0, 0.0)),
    ],
)
def test_a_gain_is_positive_where_the_challenger_is_better(
    metric: str, champion: list[float], challenger: list[float], gain: tuple[float, float, float]
) -> None:
    found = paired_gain(METRICS[metric], np.zeros(3), np.array(challenger), np.array(champion))

    assert (found.value, found.low, found.high) == pytest.approx(gain)


def test_a_gain_in_a_metric_where_more_is_better_has_the_same_sign() -> None:
    y = np.array([0, 1] * 50)
    good, bad = np.column_stack([1 - y, y]).astype(float), np.full((100, 2), 0.5)

    found = paired_gain(METRICS["roc_auc"], y, good, bad)

    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert paired_gain(METRICS["roc_auc"], y, bad, good).value == -0.5


def test_pairs_make_a_narrower_interval_than_their_parts() -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(0, 10, 300)
    champion = y + generator.normal(0, 5, 300)

    found = paired_gain(METRICS["rmse"], y, y + 0.9 * (champion - y), champion)

    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.15
