"""Small models, trained once a process by the real functions, for whoever needs one on disk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.tables import columns_of
from automl_assets.core.values import CleaningPlan, HoldoutRule, PlanStep, Problem, Role, Study, TrainedModel
from automl_assets.learn.runner import Runner
from automl_assets.learn.split import in_holdout
from automl_assets.training.model import Model
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.config import TuningConfig
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore
from tests.tuning.portfolios import portfolio_of

ROWS = 400
MEMORY_MB = 2000.0
PLAN = CleaningPlan(steps=(PlanStep(operation="trim", columns=("city",), params={}, reason="spaces"),))
ROLES: dict[str, Role] = {"age": "numeric", "income": "numeric", "city": "categorical", "id": "id", "y": "target"}
FEATURES = ("age", "income", "city")


@dataclass(frozen=True)
class Small:
    """A trained model and all that it was made from."""

    raw: pa.Table
    rows: dict[str, np.ndarray]
    problem: Problem
    study: Study
    store: TrialStore
    model: TrainedModel
    root: Path

    @property
    def folder(self) -> Path:
        """The model's folder."""
        return self.root / "models" / self.model.path

    def load(self) -> Model:
        """The model, read once a process."""
        if self.model.digest not in _loaded:
            _loaded[self.model.digest] = Model.load(self.folder, digest=self.model.digest)
        return _loaded[self.model.digest]


def raw_table(kind: str, rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Rows with two numbers (some missing), a city with spaces around it, an id, and a target `y` that follows."""
    generator = np.random.default_rng(seed)
    age = generator.normal(40, 10, rows).round(1)
    income = generator.normal(0, 1, rows)
    cities = np.array(["Bern ", "Basel", " Chur"])[generator.integers(0, 3, rows)]
    signal = (age - 40) / 10 + income + 1.5 * (cities == "Basel") + generator.normal(0, 0.5, rows)
    target: list[object]
    if kind == "regression":
        target = signal.tolist()
    elif kind == "binary":
        target = np.where(signal > 1.0, "yes", "no").tolist()
    else:
        target = np.array(["low", "middle", "high"])[np.digitize(signal, [0.0, 1.0])].tolist()
    missing = generator.random(rows) < 0.05
    return pa.table(
        {
            "id": [f"r{i}" for i in range(rows)],
            "age": pa.array(np.where(missing, np.nan, age), from_pandas=True),
            "income": income,
            "city": cities,
            "y": target,
        }
    )


def problem_of(kind: str) -> Problem:
    """The problem of `raw_table`; a fifth of the ids is held out."""
    classes = {"regression": (), "binary": ("no", "yes"), "multiclass": ("high", "low", "middle")}[kind]
    rule = HoldoutRule(
        kind="key", columns=("id",), salt="small", share=0.2, target="y", default_cutoff=int(0.2 * 2**64)
    )
    metric = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}[kind]
    return Problem(
        kind=kind, metric=metric, target="y", classes=classes, roles=ROLES, holdout=rule,
        train_rows=ROWS, holdout_rows=ROWS // 5,
    )  # fmt: skip


FAMILIES = {
    "binary": ["linear", "xgboost"],
    "multiclass": ["linear", "extra_trees"],
    "regression": ["linear", "lightgbm"],
}
_trained: dict[str, Small] = {}
_loaded: dict[str, Model] = {}


def small_model(kind: str, runner: Runner, root: Path) -> Small:
    """A model of each of two families' defaults, weighed; trained once a process, in `root`."""
    if kind not in _trained:
        _trained[kind] = _train(kind, runner, root)
    return _trained[kind]


def _train(kind: str, runner: Runner, root: Path) -> Small:
    raw, problem = raw_table(kind), problem_of(kind)
    held = in_holdout(ds.dataset(raw), problem.holdout)
    roles = problem.feature_roles()
    clean = apply_plan(PLAN, raw.filter(pa.array(~held)))
    store = TrialStore(root / "study")
    config = TuningConfig(time_budget_seconds=120, max_trials=2, families=FAMILIES[kind])
    with portfolio_of():
        study = run_study(
            store.folder, ds.dataset(clean), problem, config, runner, roles=roles, seed=0, cores=2, memory_mb=MEMORY_MB
        )
    facts = ModelFacts(
        pipeline="small",
        kind=kind,
        target="y",
        classes=problem.classes,
        roles=roles,
        columns=columns_of(raw.select(list(FEATURES)).schema),
        plan=PLAN,
        holdout=problem.holdout,
        window=("the training batch",),
        id_columns=("id",),
        reference="small/clean_table/all/reference.parquet",
    )
    model = train_model(
        store, study, facts, runner, root=root / "models", folder="small", seconds=5.0, memory_mb=MEMORY_MB,
        deterministic=True,
    )  # fmt: skip
    return Small(raw, {"train": ~held, "holdout": held}, problem, study, store, model, root)
