"""AutoML without Dagster: scikit-learn estimators over the same functions that the assets run.

>>> model = AutoML(time_budget_seconds=60).fit(X, y)  # doctest: +SKIP
>>> model.predict_proba(X)  # doctest: +SKIP
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # their contract needs the class itself

from automl_assets.arrays import as_arrow
from automl_assets.core.errors import ConfigError, SchemaError, bounded
from automl_assets.core.memory import read_memory, usable_cores
from automl_assets.core.values import FEATURE_ROLES, Column, HoldoutRule, Problem, Role, TrainedModel
from automl_assets.tuning.config import TuningConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    from automl_assets.learn.runner import Runner
    from automl_assets.training.explain import RowExplanation

TARGET = "__target__"
WEIGHT = "__weight__"
GROUP = "__group__"
MEMORY_SHARE = 0.8
MIB = 2**20
BACKGROUND_ROWS = 100
START_SHARE = 0.25
START_SECONDS = 120.0
START_MB = 1_000.0


class AutoML(BaseEstimator):
    """Searches, weighs and calibrates within a time budget; trains on all rows that it is given.

    Args:
        time_budget_seconds: wall-clock seconds for the whole search and training.
        metric: ``auto``, or a metric's name.
        prefer: ``accuracy``, ``balanced`` or ``latency``: how much one row may cost the model.
        families: ``auto``, or model families by name.
        seed: of folds, searches and models.
        n_jobs: processors to use; the usable ones by default.
        memory_limit_mb: MiB that all fits may have together; 80% of what is free by default.
        deterministic: False.
    """

    def __init__(
        self,
        time_budget_seconds: float = 300,
        metric: str = "auto",
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

    _kind: Literal["auto", "classification", "regression"] = "auto"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Search and train.

        Args:
            X: a table of shape (rows, columns): pandas, polars, Arrow or numpy, of any column types.
            y: a label or a number a row.
            sample_weight: how much each row counts.
            groups: rows of one group never judge each other.

        Raises:
            SchemaError: X is no table, or y has another length.
            TargetError: nothing can be learnt from y.
            ConfigError: a parameter has a value that it can't have.
            FitError: no family finished a fit within the budget.
        """
        import numpy as np

        from automl_assets.training.model import Model

        config = self._config()
        table = self._table(X, y, sample_weight, groups)
        problem = self._problem(table)
        with tempfile.TemporaryDirectory(prefix="automl-fit-") as scratch, _started_runner(config) as (runner, seconds):
            config = config.model_copy(update={"time_budget_seconds": seconds})
            trained = self._train(table, problem, config, runner, Path(scratch))
            self._model = Model.load(Path(scratch) / "models" / trained.path)
        some = np.random.default_rng(self.seed).permutation(table.num_rows)[:BACKGROUND_ROWS]
        self._background = self._model.clean(table.take(np.sort(some)))
        self._trained = trained
        self.size_mb_ = trained.size_mb
        self.n_features_in_ = table.num_columns - len(
            [name for name in (TARGET, WEIGHT, GROUP) if name in table.column_names]
        )
        self.feature_names_in_ = _names(table)
        if self._model.card.classes:
            labels = _original_labels(y, self._model.card.classes)
            self._order = np.argsort(labels, kind="stable")
            self.classes_ = labels[self._order]
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
                f"{'.'.join(str(part) for part in first['loc'][:1])}: {first['msg'].removeprefix('Value error, ')}",
                where="AutoML",
            ) from error

    def _table(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> "pa.Table":
        import numpy as np
        import pyarrow as pa

        table = as_arrow(X)
        extra = {TARGET: y, WEIGHT: sample_weight, GROUP: groups}
        for name, values in extra.items():
            if values is None:
                continue
            array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
            if array.ndim != 1 or len(array) != table.num_rows:
                raise SchemaError(
                    f"{name.strip('_')} has shape {array.shape}; the table has {table.num_rows} rows.",
                    where="AutoML.fit",
                    remedy="Give one value a row.",
                )
            table = table.append_column(name, pa.array(array.tolist(), from_pandas=True))
        return table

    def _problem(self, table: "pa.Table") -> Problem:
        """The problem without a holdout: every row teaches."""
        import numpy as np
        import pyarrow.dataset as ds

        from automl_assets.learn.score import metric_named
        from automl_assets.problems.config import ColumnsConfig, ProblemConfig
        from automl_assets.problems.roles import assign_roles, id_columns
        from automl_assets.problems.target import choose_kind, target_facts, without_rare_classes

        dataset = ds.dataset(table)
        facts = target_facts(dataset, TARGET)
        stated = "auto" if self._kind != "regression" else "regression"
        if self._kind == "classification":
            stated = "multiclass" if without_rare_classes(facts)[0].distinct > 2 else "binary"
        kind_name, kind, usable, rare = choose_kind(facts, ProblemConfig(kind=stated))
        metric = metric_named(kind.default_metric if self.metric == "auto" else self.metric, kind_name)
        columns = ColumnsConfig(
            weight=WEIGHT if WEIGHT in table.column_names else None,
            group=GROUP if GROUP in table.column_names else None,
        )
        roles: dict[str, Role]
        roles, reasons = assign_roles(
            dataset,
            target=TARGET,
            columns=columns,
            ids=id_columns(dataset, target=TARGET, columns=columns),
            train=np.ones(table.num_rows, dtype=bool),
        )
        if not set(roles.values()) & set(FEATURE_ROLES):
            raise SchemaError("No column can be learnt from.", where="AutoML.fit", remedy="Add columns that vary.")
        nothing_held_out = HoldoutRule(kind="hash", columns=(), salt="", share=0.0, target=TARGET)
        return Problem(
            kind=kind_name,
            metric=metric.name,
            target=TARGET,
            classes=kind.classes(usable),
            roles=roles,
            role_reasons=reasons,
            holdout=nothing_held_out,
            train_rows=table.num_rows,
            holdout_rows=0,
            dropped_classes=rare,
        )

    def _train(
        self, table: "pa.Table", problem: Problem, config: TuningConfig, runner: "Runner", scratch: Path
    ) -> TrainedModel:
        import pyarrow.dataset as ds

        from automl_assets.cleaning.apply import apply_plan, roles_after
        from automl_assets.cleaning.local import plan_cleaning
        from automl_assets.core.tables import columns_of
        from automl_assets.training.train import ModelFacts, train_model
        from automl_assets.tuning.study import run_study
        from automl_assets.tuning.trial_store import TrialStore

        features = problem.feature_roles()
        plan = plan_cleaning(ds.dataset(table), features)
        memory_mb = self.memory_limit_mb or MEMORY_SHARE * read_memory().available / MIB
        self._study = study = run_study(
            scratch / "study",
            ds.dataset(apply_plan(plan, table)),
            problem,
            config,
            runner,
            roles=roles_after(plan, features),
            seed=self.seed,
            cores=self.n_jobs if self.n_jobs and self.n_jobs > 0 else usable_cores(),
            memory_mb=memory_mb,
        )
        columns: tuple[Column, ...] = columns_of(table.select(list(features)).schema)
        facts = ModelFacts(
            pipeline="automl",
            kind=problem.kind,
            target=TARGET,
            classes=problem.classes,
            roles=roles_after(plan, features),
            columns=columns,
            plan=plan,
            holdout=problem.holdout,
            window=(),
        )
        return train_model(
            TrialStore(scratch / "study"),
            study,
            facts,
            runner,
            root=scratch / "models",
            folder="automl",
            seconds=config.time_budget_seconds - study.seconds,
            memory_mb=memory_mb,
            prefer=config.prefer,
        )

    def predict(self, X: Any) -> "np.ndarray":
        """A label, or a value, for each row.

        Raises:
            SchemaError: X is no table, or lacks a column that the model reads.
        """
        if self._fitted().card.classes:
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        return self._model.predict(self._as_fitted(X))

    def predict_proba(self, X: Any) -> "np.ndarray":
        """Calibrated probabilities of shape (rows, classes), in the order of `classes_`, which is sorted.

        Raises:
            AttributeError: the target is a number.
            SchemaError: X is no table, or lacks a column that the model reads.
        """
        if not self._fitted().card.classes:
            raise AttributeError("The target is a number; there are no probabilities.")
        return self._model.predict(self._as_fitted(X))[:, self._order]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy where the target is a class, R² where it is a number: what scikit-learn's own estimators score."""
        from sklearn.metrics import accuracy_score, r2_score

        judge = accuracy_score if self._fitted().card.classes else r2_score
        return float(judge(y, self.predict(X), sample_weight=sample_weight))

    def _as_fitted(self, X: Any) -> "pa.Table":
        """X as Arrow under the names that `fit` saw: a matrix's columns are taken by position, a frame's by name."""
        import numpy as np

        table = as_arrow(X)
        if isinstance(X, np.ndarray | list) and table.num_columns == self.n_features_in_:
            table = table.rename_columns(list(self.feature_names_in_))
        missing = self._model.check_columns(table.column_names).missing
        if missing:
            raise SchemaError(
                f"X lacks columns that the model reads: {bounded(missing)}.",
                where="AutoML.predict",
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

    def _fitted(self) -> Any:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "_model")
        return self._model

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_model")


class AutoMLClassifier(ClassifierMixin, AutoML):
    """AutoML that takes whole numbers for classes, however many there are."""

    _kind = "classification"


class AutoMLRegressor(RegressorMixin, AutoML):
    """AutoML that takes whole numbers for numbers, however few there are."""

    _kind = "regression"


@contextmanager
def _started_runner(config: TuningConfig) -> "Iterator[tuple[Runner, float]]":
    """A runner whose imports are done, and the seconds that are left of the budget.

    Starting counts for a quarter of the budget at most, so that a small one still fits something.
    """
    from automl_assets.learn.runner import Runner

    begun = time.monotonic()
    with Runner(packages=("numpy", "pyarrow.compute", "automl_assets.tuning.fold_fit")) as runner:
        runner.run("os:getpid", {}, deadline_seconds=START_SECONDS, memory_mb=START_MB)
        budget = config.time_budget_seconds
        yield runner, budget - min(time.monotonic() - begun, START_SHARE * budget)


def _names(table: "pa.Table") -> "np.ndarray":
    import numpy as np

    names = [name for name in table.column_names if name not in (TARGET, WEIGHT, GROUP)]
    return np.array(names, dtype=object)


def _original_labels(y: Any, classes: tuple[str, ...]) -> "np.ndarray":
    """The user's own labels in the order of the model's classes."""
    import numpy as np
    import pyarrow as pa

    from automl_assets.learn.split import label_texts

    values = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    texts = label_texts(pa.array(values.tolist(), from_pandas=True))
    first = {text: position for position, text in reversed(list(enumerate(texts))) if text is not None}
    return values[[first[label] for label in classes]]
