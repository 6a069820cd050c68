"""scikit-learn's estimator contract. Three fits in all, of 5 seconds each."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, get_scorer, r2_score, roc_auc_score

from automl_assets import AutoML, AutoMLClassifier, AutoMLRegressor
from automl_assets.core.errors import ConfigError, SchemaError, TargetError, UnknownNameError
from automl_assets.estimator import GROUP, TARGET, WEIGHT

BUDGET = 5
KINDS = [AutoML, AutoMLClassifier, AutoMLRegressor]
PARAMS = {
    "time_budget_seconds": 300, "metric": "auto", "prefer": "balanced", "families": "auto", "seed": 0,
    "n_jobs": None, "memory_limit_mb": None, "deterministic": False,
}  # fmt: skip
ROWS = 240


def frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(40, 10, rows)),
            "income": generator.normal(size=rows),
            "city": generator.choice(["Bern", "Basel"], rows),
        }
    )


def signal(X: pd.DataFrame) -> np.ndarray:
    return X["income"].to_numpy() + 2.0 * (X["city"] == "Basel").to_numpy()


def mostly_yes(X: pd.DataFrame) -> np.ndarray:
    """Labels of which the rarer, and so the positive one, comes first in the alphabet."""
    return np.where(signal(X) > 0.0, "yes", "no")


@pytest.fixture(scope="module")
def classifier() -> AutoMLClassifier:
    X = frame()
    return AutoMLClassifier(time_budget_seconds=BUDGET, families=["linear"]).fit(X, mostly_yes(X))


@pytest.fixture(scope="module")
def regressor() -> AutoMLRegressor:
    X = frame()
    y = signal(X).round()  # few whole numbers: a class to `AutoML`, a number to `AutoMLRegressor`
    weight = np.where(X["city"] == "Basel", 2.0, 1.0)
    return AutoMLRegressor(time_budget_seconds=BUDGET, families=["linear"], metric="mae").fit(
        X, y, sample_weight=weight, groups=np.arange(ROWS) % 40
    )


@pytest.fixture(scope="module")
def plain() -> AutoML:
    """Three classes, one of them of a single row; fitted on a matrix."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(ROWS, 3))
    y = (X[:, 0] > -0.5).astype(int)
    y[0] = 7
    return AutoML(time_budget_seconds=BUDGET, families=["linear"], n_jobs=1).fit(X, y)


# ---- without a fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_kept_as_given_and_cloned(kind: type[AutoML]) -> None:
    assert kind().get_params() == PARAMS
    families = ["linear"]
    changed = kind(families=families, seed=3).set_params(n_jobs=2)

    copy = clone(changed)

    assert changed.families is families
    assert copy is not changed
    assert copy.get_params() == {**PARAMS, "families": ["linear"], "seed": 3, "n_jobs": 2}
    assert type(copy) is kind


@pytest.mark.parametrize("kind", KINDS)
def test_before_fit_there_is_nothing_to_ask(kind: type[AutoML]) -> None:
    model = kind()

    with pytest.raises(NotFittedError):
        model.predict(frame(3))
    with pytest.raises(NotFittedError):
        model.leaderboard()
    with pytest.raises(NotFittedError):
        model.score(frame(3), [0, 1, 0])


def test_scikit_learn_knows_which_is_which() -> None:
    assert is_classifier(AutoMLClassifier())
    assert not is_classifier(AutoMLRegressor())
    assert is_regressor(AutoMLRegressor())
    assert not is_classifier(AutoML())


@pytest.mark.parametrize(
    ("params", "y", "error", "told"),
    [
        ({"time_budget_seconds": -1}, [0, 1], ConfigError, "time_budget_seconds"),
        ({"families": ["lineer"]}, [0, 1], ConfigError, "Did you mean 'linear'"),
        ({"families": []}, [0, 1], ConfigError, "families is empty"),
        ({"metric": "roc"}, [0, 1], UnknownNameError, "Did you mean 'roc_auc'"),
        ({"metric": "rmse"}, [0, 1], UnknownNameError, "metric for binary problems"),
        ({"metric": 3}, [0, 1], ConfigError, "metric is a int"),
        ({}, [0, 0], TargetError, "same value in every row"),
        ({}, [None, None], TargetError, "missing in every row"),
        ({}, [0.5, np.inf], TargetError, "y contains infinity in 4 rows"),
        ({}, [0, 1, 1], TargetError, r"y has shape \(3,\); the table has 8 rows"),
    ],
)
def test_what_can_not_work_is_refused_before_any_fit(
    params: dict[str, Any], y: list[Any], error: type[Exception], told: str
) -> None:
    X = frame(8)
    labels = np.array(y * 4 if len(y) == 2 else y)

    with pytest.raises(error, match=told):
        AutoML(**params).fit(X, labels)


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_a_weight_or_group_of_another_length_is_refused(name: str) -> None:
    with pytest.raises(TargetError, match=f"{name} has shape"):
        AutoML().fit(frame(8), [0, 1] * 4, **{name: [1, 2]})


def test_a_table_of_constants_teaches_nothing() -> None:
    with pytest.raises(SchemaError, match="No column can be learnt from"):
        AutoML(families=["linear"]).fit(pd.DataFrame({"a": [1] * 40}), [0, 1] * 20)


# ---- classes -----------------------------------------------------------------------------------------------------


def test_classes_are_sorted_like_scikit_learns_whichever_is_rarer(classifier: AutoMLClassifier) -> None:
    assert (mostly_yes(frame()) == "yes").mean() > 0.6
    assert classifier.classes_.tolist() == ["no", "yes"]


def test_probabilities_stand_in_the_order_of_the_classes(classifier: AutoMLClassifier) -> None:
    new = frame(300, seed=1)

    probabilities = classifier.predict_proba(new)

    assert probabilities.shape == (300, 2)
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert roc_auc_score(mostly_yes(new) == "yes", probabilities[:, 1]) > 0.95
    assert classifier.predict(new).tolist() == classifier.classes_[probabilities.argmax(axis=1)].tolist()


def test_scores_are_scikit_learns(classifier: AutoMLClassifier) -> None:
    new = frame(300, seed=1)
    truth = mostly_yes(new)

    assert classifier.score(new, truth) == accuracy_score(truth, classifier.predict(new)) > 0.85
    assert AutoML.score(classifier, new, truth) == classifier.score(new, truth)


def test_feature_names_and_their_number_are_remembered(classifier: AutoMLClassifier) -> None:
    assert classifier.feature_names_in_.tolist() == ["age", "income", "city"]
    assert classifier.n_features_in_ == 3


def test_columns_are_taken_by_name_from_any_kind_of_table(classifier: AutoMLClassifier) -> None:
    new = frame(50, seed=1)
    expected = classifier.predict_proba(new)

    assert np.array_equal(classifier.predict_proba(new[["city", "age", "income"]]), expected)
    assert np.array_equal(classifier.predict_proba(new.assign(more=1)), expected)
    assert np.array_equal(classifier.predict_proba(pl.from_pandas(new)), expected)
    assert np.array_equal(classifier.predict_proba(new.to_dict("list")), expected)


def test_a_missing_column_is_refused(classifier: AutoMLClassifier) -> None:
    with pytest.raises(SchemaError, match=r"X lacks columns that the model reads: income\."):
        classifier.predict(frame(3).drop(columns="income"))


def test_a_fitted_estimator_predicts_the_same_after_a_round_trip(classifier: AutoMLClassifier) -> None:
    new = frame(50, seed=1)

    again = pickle.loads(pickle.dumps(classifier))

    assert np.array_equal(again.predict_proba(new), classifier.predict_proba(new))
    assert again.classes_.tolist() == ["no", "yes"]


def test_fit_changes_no_parameter_and_a_clone_is_not_fitted(classifier: AutoMLClassifier) -> None:
    assert classifier.get_params() == {**PARAMS, "time_budget_seconds": BUDGET, "families": ["linear"]}
    with pytest.raises(NotFittedError):
        clone(classifier).predict(frame(3))


def test_the_leaderboard_is_a_frame_with_the_best_first(classifier: AutoMLClassifier) -> None:
    board = classifier.leaderboard()

    assert {"name", "family", "weight", "score", "fit_seconds", "row_ms", "memory_mb", "size_mb"} <= set(board.columns)
    assert board["score"].is_monotonic_decreasing
    assert "ensemble" in board["name"].tolist()
    assert board.loc[board["name"] != "ensemble", "weight"].sum() == pytest.approx(1.0)


# ---- numbers -----------------------------------------------------------------------------------------------------


def test_a_regressor_takes_few_whole_numbers_for_numbers(regressor: AutoMLRegressor) -> None:
    new = frame(300, seed=1)
    truth = signal(new)

    predicted = regressor.predict(new)

    assert predicted.dtype == float
    assert regressor.score(new, truth) == r2_score(truth, predicted) > 0.9
    assert AutoML.score(regressor, new, truth) == regressor.score(new, truth)
    assert not hasattr(regressor, "classes_")
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(AutoMLRegressor(), "predict_proba")


def test_weight_and_group_are_no_features(regressor: AutoMLRegressor) -> None:
    assert regressor.feature_names_in_.tolist() == ["age", "income", "city"]
    assert regressor.n_features_in_ == 3
    assert not {TARGET, WEIGHT, GROUP} & set(regressor._model.features)


# ---- a matrix ----------------------------------------------------------------------------------------------------


def test_labels_come_back_as_they_were_and_a_single_row_is_no_class(plain: AutoML) -> None:
    assert plain.classes_.tolist() == [0, 1]
    assert plain.classes_.dtype == int
    X = np.random.default_rng(1).normal(size=(200, 3))
    assert plain.predict(X).dtype == int
    assert plain.score(X, (X[:, 0] > -0.5).astype(int)) > 0.9


def test_scikit_learns_scorers_take_the_greater_label_for_the_positive_one(plain: AutoML) -> None:
    X = np.random.default_rng(1).normal(size=(200, 3))
    y = (X[:, 0] > -0.5).astype(int)

    assert roc_auc_score(y, plain.predict_proba(X)[:, 1]) > 0.95


def test_the_roc_scorer_agrees(classifier: AutoMLClassifier) -> None:
    new = frame(300, seed=1)

    assert get_scorer("roc_auc")(classifier, new, mostly_yes(new)) > 0.95


def test_columns_of_a_matrix_are_taken_by_position(plain: AutoML, classifier: AutoMLClassifier) -> None:
    X = np.random.default_rng(1).normal(size=(20, 3))
    named = frame(20, seed=1)

    assert np.array_equal(plain.predict_proba(X.tolist()), plain.predict_proba(X))
    assert np.array_equal(classifier.predict_proba(named.to_numpy()), classifier.predict_proba(named))
    assert np.array_equal(plain.predict(pd.DataFrame(X, columns=["a", "b", "c"])), plain.predict(X))
    assert not hasattr(plain, "feature_names_in_")
    with pytest.raises(SchemaError, match="X has 2 features, but AutoML is expecting 3 features as input"):
        plain.predict(X[:, :2])
