"""AutoML, AutoMLClassifier and AutoMLRegressor: scikit-learn's contract over `engine.fit_model`."""

from typing import TYPE_CHECKING, Any, Literal, Self

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # their contract needs the class itself
from sklearn.utils.metaestimators import available_if

from automl_assets.core.errors import ConfigError, SchemaError, bounded
from automl_assets.core.memory import read_memory, usable_cores
from automl_assets.estimator.data import INSIDE, TARGET, Kind, features_of, names_of, rows_of
from automl_assets.estimator.engine import USUAL_SECONDS, Limits, fit_model, problem_of
from automl_assets.estimator.errors import TableValueError, as_value_errors
from automl_assets.tuning.config import TuningConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from sklearn.utils import Tags

    from automl_assets.core.values import Problem
    from automl_assets.estimator.data import Rows
    from automl_assets.learn.score import Metric
    from automl_assets.training.explain import RowExplanation
    from automl_assets.training.model import Model

MEMORY_SHARE = 0.8
MIB = 2**20
BACKGROUND_ROWS = 100


def _has_classes(model: "AutoML") -> bool:
    """Whether `predict_proba` makes sense: unless the target is, or will be, a number."""
    if model._kind == "regression" or (hasattr(model, "_model") and not model._model.card.classes):
        raise AttributeError("The target is a number; there are no probabilities.")
    return True


class AutoML(BaseEstimator):
    """Searches, weighs and calibrates within a time budget; trains on all rows that it is given.

    With the default budget, fewer than 200 rows (and at most 20,000 cells) are fitted in this process, in 0.1–0.2 s:
    one configuration each of `linear` and `svm`, or of the families that are named where they are quick, bagged over
    five folds and weighed. A search gains little on so few rows, but for columns that interact, and starting its
    processes takes longer than all the rest: state another budget, and it is searched for as long as that.
    Budgets under 4 s are spent in this process too, as far as a table of 200,000 cells. All else is fitted in child
    processes, each with a deadline and a memory limit.

    Args:
        time_budget_seconds: wall-clock seconds for the whole search and training; 300 by default.
        metric: ``auto``, a metric's name, a scikit-learn scorer or its name, or ``metric(y_true, y_pred)``, of which
            more is better.
        prefer: ``accuracy``, ``balanced`` or ``latency``: how much one row may cost the model.
        families: ``auto``, or model families by name.
        seed: of folds, searches and models.
        n_jobs: processors to use; the usable ones by default.
        memory_limit_mb: MiB that all fits may have together; 80% of what is free by default.
        deterministic: the same seed and data give the same model.

    Attributes:
        classes_: the labels in sorted order, of y's own type, where the target is a class.
        n_features_in_: how many columns X had.
        feature_names_in_: their names, where all were given as text.
        size_mb_: MiB of the model.
    """

    _kind: Kind = "auto"

    def __init__(
        self,
        time_budget_seconds: float = USUAL_SECONDS,
        metric: Any = "auto",
        prefer: Literal["accuracy", "balanced", "latency"] = "balanced",
        families: Any = "auto",
        seed: int = 0,
        n_jobs: int | None = None,
        memory_limit_mb: float | None = None,
        deterministic: bool = False,
    ):
        self.time_budget_seconds = time_budget_seconds
        self.metric = metric
        self.prefer = prefer
        self.families = families
        self.seed = seed
        self.n_jobs = n_jobs
        self.memory_limit_mb = memory_limit_mb
        self.deterministic = deterministic

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, groups: Any = None) -> Self:
        """Search and train.

        Args:
            X: a table of shape (rows, columns): pandas, polars, Arrow or numpy, of any column types.
            y: a label or a number a row; rows without one are left out.
            sample_weight: how much each row counts; rows of weight 0 are left out.
            groups: rows of one group never judge each other.

        Raises:
            SchemaError: X is no table, or no column of it can be learnt from.
            TargetError: nothing can be learnt from y, or it has another length.
            ConfigError: a parameter has a value that it can't have.
            FitError: no family finished a fit within the budget.
        """
        from automl_assets.learn.score import lent

        name = type(self).__name__
        with as_value_errors(f"{name}.fit", INSIDE):
            config = self._config()
            rows = rows_of(X, y, sample_weight, groups, kind=self._kind, name=name)
            problem, metric = self._with_metric(problem_of(rows), rows)
            with lent(metric):
                is_stated = self.time_budget_seconds != USUAL_SECONDS
                found = fit_model(rows, problem, config, self._limits(), is_stated=is_stated)
        self._model, self._study, self._trained = found.model, found.study, found.trained
        self._remember(rows)
        return self

    def _config(self) -> TuningConfig:
        from pydantic import ValidationError

        families = self.families if isinstance(self.families, str) else list(self.families)
        try:
            return TuningConfig.model_validate(
                {
                    "time_budget_seconds": self.time_budget_seconds,
                    "families": families,
                    "prefer": self.prefer,
                    "deterministic": self.deterministic,
                }
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(
                f"{first['msg'].removeprefix('Value error, ')}.".replace("..", "."),
                where=str(first["loc"][0]),
                remedy="Give one of the values that the class describes.",
            ) from error

    def _with_metric(self, problem: "Problem", rows: "Rows") -> "tuple[Problem, Metric | None]":
        """The problem judged as the user wants, and the metric where it is one of the user's own."""
        from automl_assets.estimator.metrics import metric_of, try_metric
        from automl_assets.learn.score import is_own
        from automl_assets.problems.target import encode_target

        if isinstance(self.metric, str) and self.metric == "auto":
            return problem, None
        classes = rows.labels[[int(code) for code in problem.classes]] if rows.labels is not None else None
        metric = metric_of(self.metric, problem.kind, classes)
        problem = problem.model_copy(update={"metric": metric.name})
        if not is_own(metric.name):
            return problem, None
        y, usable = encode_target(rows.table.column(TARGET), problem.classes)
        try_metric(metric, y[usable], len(problem.classes))
        return problem, metric

    def _limits(self) -> Limits:
        return Limits(
            cores=self.n_jobs if self.n_jobs and self.n_jobs > 0 else usable_cores(),
            memory_mb=self.memory_limit_mb or MEMORY_SHARE * read_memory().available / MIB,
            seed=self.seed,
        )

    def _remember(self, rows: "Rows") -> None:
        """What predicting, explaining and scikit-learn want to know of the training rows."""
        import numpy as np

        some = np.random.default_rng(self.seed).permutation(rows.table.num_rows)[:BACKGROUND_ROWS]
        self._background = self._model.clean(rows.table.take(np.sort(some)))
        self._columns = rows.features
        self._labels = rows.labels
        self.size_mb_ = self._trained.size_mb
        self.n_features_in_ = len(rows.features)
        for name in ("feature_names_in_", "classes_"):
            vars(self).pop(name, None)
        if rows.names is not None:
            self.feature_names_in_ = rows.names
        if rows.labels is not None:
            codes = [int(code) for code in self._model.card.classes]
            self._order = np.argsort(codes, kind="stable")
            self.classes_ = rows.labels[np.sort(codes)]

    def predict(self, X: Any) -> "np.ndarray":
        """A label, or a value, for each row.

        Raises:
            SchemaError: X is no table, or lacks a column that the model reads.
        """
        predicted = self._fitted().predict(self._as_fitted(X))
        if self._labels is None:
            return predicted
        return self._labels[self._model.labels(predicted).astype(int)]

    @available_if(_has_classes)
    def predict_proba(self, X: Any) -> "np.ndarray":
        """Calibrated probabilities of shape (rows, classes), in the order of `classes_`, which is sorted.

        Raises:
            AttributeError: the target is a number.
            SchemaError: X is no table, or lacks a column that the model reads.
        """
        return self._fitted().predict(self._as_fitted(X))[:, self._order]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy where the target is a class, R² where it is a number: what scikit-learn's own estimators score."""
        from sklearn.metrics import accuracy_score, r2_score

        judge = accuracy_score if self._fitted().card.classes else r2_score
        return float(judge(y, self.predict(X), sample_weight=sample_weight))

    def _as_fitted(self, X: Any) -> "pa.Table":
        """X as Arrow under the names that `fit` saw: a frame's columns are taken by name, others by position."""
        where = f"{type(self).__name__}.predict"
        with as_value_errors(where, INSIDE):
            table = features_of(X, where=where)
            if names_of(X) is None or not hasattr(self, "feature_names_in_"):
                if table.num_columns != self.n_features_in_:
                    raise TableValueError(
                        f"X has {table.num_columns} features, but {type(self).__name__} is expecting "
                        f"{self.n_features_in_} features as input.",
                        where=where,
                        remedy="Give the columns that it was fitted on, in their order.",
                    )
                table = table.rename_columns(list(self._columns))
            missing = self._model.check_columns(table.column_names).missing
            if missing:
                raise SchemaError(
                    f"X lacks columns that the model reads: {bounded(missing)}.",
                    where=where,
                    remedy=f"Give the {self.n_features_in_} columns that it was fitted on.",
                )
            return table

    def explain(self, X: Any, rows: int = 5, seconds: float = 10.0) -> "list[RowExplanation]":
        """What moved each of the first `rows` predictions, by column: contributions that add up to the output.

        For classes the output is a probability: of the positive one of two, of the predicted one of several.

        Args:
            seconds: after which no further row is explained.

        Raises:
            SchemaError: X is no table, or lacks a column that the model reads.
        """
        from automl_assets.training.explain import explain_rows

        model, table = self._fitted(), self._as_fitted(X)
        return explain_rows(model, table, background=self._background, rows=rows, seconds=seconds, seed=self.seed)

    def leaderboard(self) -> "pd.DataFrame":
        """Each configuration and the ensemble, best first: score out of fold, seconds, milliseconds a row, MiB."""
        import pandas as pd

        self._fitted()
        return pd.DataFrame([member.model_dump() for member in self._trained.leaderboard])

    def trials(self) -> "pd.DataFrame":
        """Every configuration that was tried, in that order: score out of fold, folds, seconds, and why it ended."""
        import pandas as pd

        self._fitted()
        return pd.DataFrame([trial.model_dump() for trial in self._study.trials])

    def _fitted(self) -> "Model":
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "_model")
        return self._model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_model")

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        return tags


class AutoMLClassifier(ClassifierMixin, AutoML):
    """AutoML that takes whole numbers for classes, however many there are."""

    _kind: Kind = "classification"


class AutoMLRegressor(RegressorMixin, AutoML):
    """AutoML that takes whole numbers for numbers, however few there are."""

    _kind: Kind = "regression"
