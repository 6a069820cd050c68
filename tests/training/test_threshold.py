import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.learn.score import METRICS
from automl_assets.training.threshold import ARGMAX, Decision, certain, choose_decision

LABEL_METRICS = [name for name, metric in METRICS.items() if metric.of_labels]


def rare(rows: int = 4000, seed: int = 0) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Labels of which about one in ten is positive, their true probabilities, and folds."""
    generator = np.random.default_rng(seed)
    positive = 1 / (1 + np.exp(-generator.normal(-3, 1.7, rows)))
    y = (generator.random(rows) < positive).astype(int)
    return y, np.column_stack([1 - positive, positive]), np.arange(rows) % 5


def several(rows: int = 3000, seed: int = 0) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """Labels of four classes, each rarer than the one before, their true probabilities, and folds."""
    generator = np.random.default_rng(seed)
    logs = generator.normal(0, 1.2, (rows, 4)) - np.arange(4)
    p = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    return np.array([generator.choice(4, p=row) for row in p]), p, np.arange(rows) % 5


def test_the_metrics_that_judge_labels_are_known() -> None:
    y, p, _ = rare()
    for name, metric in METRICS.items():
        if "binary" in metric.kinds:
            same_labels = np.where(p >= 0.5, 0.9, 0.1)
            assert (metric(y, p) == metric(y, same_labels)) == metric.of_labels, name


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (ARGMAX, [0, 1, 2]),
        (Decision("weights", (0.2, 0.3, 0.5)), [1, 2, 2]),
        (Decision("costs", costs=((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (9.0, 9.0, 0.0))), [2, 2, 2]),
        (Decision("costs", costs=((0.0, 1.0, 9.0), (1.0, 0.0, 9.0), (1.0, 1.0, 0.0))), [0, 1, 2]),
    ],
)
def test_a_decision_can_be_made_by_hand(decision: Decision, expected: list[int]) -> None:
    p = np.array([[0.45, 0.35, 0.2], [0.2, 0.42, 0.38], [0.05, 0.05, 0.9]])

    assert decision.chosen(p).tolist() == expected
    assert Decision.from_json(decision.to_json()) == decision


@settings(max_examples=100, deadline=None)
@given(
    p=st.floats(0.001, 0.999),
    false_positive=st.floats(0.1, 100),
    false_negative=st.floats(0.1, 100),
    gain=st.floats(0, 50),
)
def test_two_classes_costs_are_elkans_threshold(
    p: float, false_positive: float, false_negative: float, gain: float
) -> None:
    costs = ((0.0, false_positive), (false_negative, -gain))
    threshold = false_positive / (false_positive + false_negative + gain)

    if abs(p - threshold) > 1e-9:
        assert Decision("costs", costs=costs).chosen(np.array([[1 - p, p]]))[0] == int(p > threshold)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_a_rare_class_is_named_more_often_where_the_metric_wants_it(name: str) -> None:
    y, p, folds = rare()

    decision, judged = choose_decision(METRICS[name], y, p, folds)
    y_new, p_new, _ = rare(seed=1)

    assert decision.method == "threshold"
    assert decision.weights[0] < 0.4
    new = METRICS[name](y_new, decision.seen_by(METRICS[name], p_new))
    assert new > METRICS[name](y_new, p_new) + 0.05
    assert METRICS[name](y, judged) == pytest.approx(new, abs=0.05)  # what it promised, without seeing those rows


def test_the_threshold_is_near_the_best_of_all_rows_to_come() -> None:
    """For balanced accuracy of true probabilities the best threshold is the positive share."""
    y, p, folds = rare(20_000)

    decision, _ = choose_decision(METRICS["balanced_accuracy"], y, p, folds)

    assert decision.weights[0] == pytest.approx(y.mean(), abs=0.03)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
def test_several_classes_get_weights(name: str) -> None:
    y, p, folds = several()

    decision, _ = choose_decision(METRICS[name], y, p, folds)
    y_new, p_new, _ = several(seed=1)

    assert decision.method == "weights"
    assert sum(decision.weights) == pytest.approx(1.0)
    assert decision.weights[3] > decision.weights[0]
    new = METRICS[name](y_new, decision.seen_by(METRICS[name], p_new))
    assert new > METRICS[name](y_new, p_new) + 0.02


@pytest.mark.parametrize("rows", [rare, several])
def test_true_probabilities_need_no_threshold_for_accuracy(rows) -> None:  # type: ignore[no-untyped-def]
    y, p, folds = rows()

    decision, judged = choose_decision(METRICS["accuracy"], y, p, folds)

    assert decision == ARGMAX
    assert judged is p


@pytest.mark.parametrize("name", [n for n in METRICS if "binary" in METRICS[n].kinds and n not in LABEL_METRICS])
def test_metrics_of_probabilities_leave_the_most_probable_class(name: str) -> None:
    y, p, folds = rare(500)

    assert choose_decision(METRICS[name], y, p, folds) == (ARGMAX, p)


def test_few_rows_or_a_single_fold() -> None:
    y, p, folds = rare(99)
    assert choose_decision(METRICS["f1"], y, p, folds)[0] == ARGMAX

    y, p, _ = rare()
    assert choose_decision(METRICS["f1"], y, p, np.zeros(len(y)))[0].method == "threshold"


def test_stated_costs_decide_whatever_the_metric_is() -> None:
    y, p, folds = rare(500)

    decision, judged = choose_decision(METRICS["roc_auc"], y, p, folds, costs=((0, 5), (100, 0)))

    assert decision == Decision("costs", costs=((0.0, 5.0), (100.0, 0.0)))
    assert judged is p
    assert decision.seen_by(METRICS["accuracy"], p).tolist() == certain(p[:, 1] > 5 / 105, 2).tolist()


def test_weights_count() -> None:
    y, p, folds = rare()
    heavy = np.where(y == 1, 20.0, 1.0)

    without, _ = choose_decision(METRICS["f1"], y, p, folds)
    found, _ = choose_decision(METRICS["f1"], y, p, folds, heavy)

    assert found.weights[0] < without.weights[0] - 0.1


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (ARGMAX, "the most probable class"),
        (Decision("threshold", (0.3, 0.7)), "yes where its probability is above 0.3"),
        (Decision("weights", (0.25, 0.75)), "the largest probability after weights (no × 0.25, yes × 0.75)"),
        (Decision("costs", costs=((0, 1), (1, 0))), "the class of the least expected cost"),
    ],
)
def test_a_decision_is_told_in_words(decision: Decision, expected: str) -> None:
    assert decision.told(["no", "yes"]) == expected
