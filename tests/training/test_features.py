"""A pipeline's recipe on its way: into the fits, the model's card, another process's predictions."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.errors import ConfigError, StorageError
from automl_assets.core.tables import columns_of, write_arrow
from automl_assets.core.values import TrainedModel
from automl_assets.learn.features import Recipe
from automl_assets.learn.runner import Runner
from automl_assets.registration.judge import predict_batch, predict_rows
from automl_assets.training.explain import explain_rows
from automl_assets.training.model import FoldModel, Model, ModelCard
from automl_assets.training.train import ModelFacts, train_model
from automl_assets.tuning.config import FeaturesConfig, TuningConfig
from automl_assets.tuning.study import run_study
from automl_assets.tuning.trial_store import TrialStore
from tests.training.small_models import FEATURES, PLAN, problem_of, raw_table

PATH = "users_features:AgeGap"
MODULE = """
import pyarrow as pa
import pyarrow.compute as pc


class AgeGap:
    '''How far a row's age is from the mean age of the training rows, and how long its city's name is.'''

    def __init__(self, mean=0.0):
        self.mean = mean

    def fit(self, table, y):
        self.mean = pc.mean(table["age"]).as_py()
        return self

    def transform(self, table):
        return pa.table({"gap": pc.subtract(table["age"], self.mean), "length": pc.utf8_length(table["city"])})

    def to_json(self):
        return {"mean": self.mean}

    @classmethod
    def from_json(cls, document):
        return cls(document["mean"])
"""
PREDICT = """
import sys
from pathlib import Path
import numpy as np
import pyarrow.parquet as pq
from automl_assets.training.model import Model

model, digest, table, out = sys.argv[1:]
np.save(out, Model.load(Path(model), digest=digest).predict(pq.read_table(table)))
"""


@dataclass(frozen=True)
class Trained:
    """A model with the user's own transformer, and the module's file."""

    module: Path
    root: Path
    model: TrainedModel
    raw: pa.Table

    @property
    def folder(self) -> Path:
        """The model's."""
        return self.root / "models" / self.model.path

    def predict_elsewhere(self, out: Path) -> "subprocess.CompletedProcess[str]":
        """Predict in a process of its own, which finds the module on its path."""
        table = out.with_suffix(".parquet")
        pq.write_table(self.raw, table)
        environment = {"PYTHONPATH": str(self.module.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-c", PREDICT, str(self.folder), self.model.digest, str(table), str(out)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip


def train(root: Path, features: FeaturesConfig, runner: Runner, families: list[str]) -> TrainedModel:
    """As the assets train: the recipe of a pipeline's section goes into the study, the study's into the card."""
    raw, problem = raw_table("binary"), problem_of("binary")
    clean, roles = apply_plan(PLAN, raw), problem.feature_roles()
    store = TrialStore(root / "study")
    study = run_study(
        store.folder, ds.dataset(clean), problem,
        TuningConfig(time_budget_seconds=120, max_trials=len(families), families=families), runner,
        roles=roles, seed=0, cores=2, memory_mb=2000.0, recipe=features.recipe(),
    )  # fmt: skip
    facts = ModelFacts(
        pipeline="small", kind="binary", target="y", classes=problem.classes, roles=roles,
        columns=columns_of(raw.select(list(FEATURES)).schema), plan=PLAN, holdout=problem.holdout, window=("all",),
    )  # fmt: skip
    return train_model(store, study, facts, runner, root=root / "models", folder="small", seconds=5.0, memory_mb=2000.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model that reads the user's transformer, pairs and crosses; trained once."""
    root = tmp_path_factory.mktemp("features")
    module = root / "code" / "users_features.py"
    module.parent.mkdir()
    module.write_text(MODULE)
    features = FeaturesConfig.model_validate({"pipeline": "interactions", "scaler": "robust", "custom": [PATH]})
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(module.parent)
        patched.setattr(sys, "dont_write_bytecode", True)
        with Runner(packages=("numpy",)) as runner:
            yield Trained(module, root, train(root, features, runner, ["linear", "lightgbm"]), raw_table("binary"))
        sys.modules.pop("users_features", None)


def test_the_card_keeps_the_recipe_and_every_member_reads_the_transformer(trained: Trained) -> None:
    card = ModelCard.read(trained.folder)
    assert Recipe(**card.recipe) == Recipe(pairs=10, crosses=5, scaler="robust", custom=(PATH,))
    encoders = [fold.encoder for _, folds in Model.load(trained.folder).members for fold in folds]
    assert all({"gap", "length"} <= set(encoder.feature_names) for encoder in encoders)
    assert any("×" in source for encoder in encoders for source in encoder.sources)


def test_a_fresh_process_predicts_the_same(trained: Trained, tmp_path: Path) -> None:
    done = trained.predict_elsewhere(tmp_path / "there.npy")
    assert done.returncode == 0, done.stderr
    here = Model.load(trained.folder).predict(trained.raw)
    np.testing.assert_array_equal(np.load(tmp_path / "there.npy"), here)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (None, f"features.custom: The module of '{PATH}' can't be imported: No module named 'users_features'."),
        ("Other = int\n", "features.custom: 'users_features' has no class 'AgeGap'."),
        ("class AgeGap:\n    pass\n", f"features.custom: The transformer '{PATH}' has no method fit, transform"),
        (MODULE + "\n# 2\n", f"features.custom: The code of the transformer '{PATH}' has changed since the model was "),
    ],
)
def test_what_is_wrong_with_the_code_is_one_sentence_at_loading(
    trained: Trained, tmp_path: Path, code: str | None, told: str
) -> None:
    try:
        trained.module.unlink() if code is None else trained.module.write_text(code)
        done = trained.predict_elsewhere(tmp_path / "there.npy")
    finally:
        trained.module.write_text(MODULE)
    assert done.returncode == 1
    assert f"ConfigError: {told}" in done.stderr.splitlines()[-1]


def test_code_that_the_card_does_not_name_is_not_imported(trained: Trained) -> None:
    member = ModelCard.read(trained.folder).members[0]
    with pytest.raises(StorageError, match=f"asks for the transformer '{PATH}', which no trusted recipe names"):
        FoldModel.load(trained.folder / member["folders"][0], member["family"])


def test_a_row_is_explained_by_the_raw_columns_that_its_features_come_from(trained: Trained) -> None:
    model = Model.load(trained.folder)
    clean = model.clean(trained.raw)
    (one,) = explain_rows(model, trained.raw, background=clean, rows=1, seconds=20.0)
    assert {found.column for found in one.contributions} == set(FEATURES)
    total = one.base + sum(found.contribution for found in one.contributions)
    assert total == pytest.approx(one.output, abs=1e-3)


def test_a_champion_whose_code_is_gone_can_be_replaced(trained: Trained, tmp_path: Path) -> None:
    rows, table = tmp_path / "rows.arrow", tmp_path / "rows.parquet"
    write_arrow(rows, trained.raw)
    pq.write_table(trained.raw, table)
    known: dict[str, Any] = {"kind": "binary", "classes": ["no", "yes"], "threads": 1}
    said = str(tmp_path / "out.npy")
    try:
        trained.module.write_text(MODULE + "\n# changed\n")
        answers = [
            predict_rows(str(trained.folder), trained.model.digest, str(rows), said, **known),
            predict_batch(str(trained.folder), None, [str(table)], said, batch_rows=100, memory_mb=1000.0, **known),
        ]
    finally:
        trained.module.write_text(MODULE)
    told = f"The code of the transformer '{PATH}' has changed since the model was trained."
    assert answers == [{"fits": False, "why": told}] * 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("    def fit(self, table, y): return self\n", "has no method transform, to_json, from_json"),
        (
            "    def fit(self, table, y): return self\n"
            "    def transform(self, table): return table.column('salary')\n"
            "    def to_json(self): return {}\n"
            "    @classmethod\n"
            "    def from_json(cls, document): return cls()\n",
            "transform of the transformer 'wrong_features:Wrong' failed: KeyError: ",
        ),
        (
            "    seen = 0\n"
            "    def fit(self, table, y):\n"
            "        self.seen = table.num_rows\n"
            "        return self\n"
            "    def transform(self, table): return [[self.seen]] * table.num_rows, ['seen']\n"
            "    def to_json(self): return {}\n"
            "    @classmethod\n"
            "    def from_json(cls, document): return cls()\n",
            "'wrong_features:Wrong' makes other numbers of the same rows after to_json and from_json.",
        ),
    ],
)
def test_a_transformer_that_does_not_work_ends_the_search_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str
) -> None:
    (tmp_path / "wrong_features.py").write_text(f"class Wrong:\n{body}")
    monkeypatch.syspath_prepend(tmp_path)
    features = FeaturesConfig(custom=("wrong_features:Wrong",))
    with Runner() as runner, pytest.raises(ConfigError) as refused:
        train(tmp_path, features, runner, ["linear"])
    assert str(refused.value).startswith("features.custom: ")
    assert told in str(refused.value)
    assert not (tmp_path / "study" / "fits.jsonl").exists()
