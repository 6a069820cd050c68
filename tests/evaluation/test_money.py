from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.cleaning.apply import apply_plan
from automl_assets.core.memory import BatchSize
from automl_assets.evaluation.money import money_of, money_rows
from automl_assets.evaluation.report import HoldoutRows, evaluate
from automl_assets.learn.runner import Runner
from automl_assets.learn.score import METRICS
from automl_assets.problems.target import encode_target
from automl_assets.serving.predict import Scorer
from automl_assets.training.model import Model, ModelCard
from automl_assets.training.threshold import ARGMAX, Decision
from automl_assets.training.train import ModelFacts, train_model
from tests.training.small_models import MEMORY_MB, PLAN, Small

COSTS = ((0.0, 5.0), (100.0, 0.0))
BY_COSTS = Decision("costs", costs=COSTS)


def test_money_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.99, 0.01], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])

    found = money_of(BY_COSTS, y, p, ("no", "yes"), np.array([0.5, 0.5]))

    assert found is not None
    assert (found.rows, found.cost.value) == (4, 5 / 4)  # 0.2 and 0.3 are above 5 / 105: one false alarm
    assert found.usual_cost == 100 / 4  # 0.3 is missed
    assert (found.constant, found.constant_cost) == ("yes", 10 / 4)
    assert found.saved_usual.value == (100 - 5) / 4
    assert found.saved_constant.value == (10 - 5) / 4
    assert found.saved_usual.low <= found.saved_usual.value <= found.saved_usual.high
    assert [row[:3] for row in money_rows(found)] == [
        ("cost of the model's decisions", 1.25, 5.0),
        ("cost of the most probable class", 25.0, 100.0),
        ("cost of always yes", 2.5, 10.0),
        ("saved against the most probable class", 23.75, 95.0),
        ("saved against always yes", 1.25, 5.0),
    ]


def test_rows_count_by_their_weight() -> None:
    y, p = np.array([0, 1]), np.array([[0.5, 0.5], [0.99, 0.01]])

    found = money_of(BY_COSTS, y, p, ("no", "yes"), np.array([0.5, 0.5]), weight=np.array([3.0, 1.0]))

    assert found is not None
    assert found.cost.value == (3 * 5 + 100) / 4


def test_without_costs_there_is_no_money() -> None:
    assert money_of(ARGMAX, np.array([0]), np.array([[0.5, 0.5]]), ("no", "yes"), np.array([0.5, 0.5])) is None


def retrained(small: Small, runner: Runner, root: Path, **changes: object) -> tuple[Path, str]:
    """The same study's model with other facts; its folder and its metric."""
    card = ModelCard.read(small.folder)
    facts = ModelFacts(
        card.pipeline, card.kind, card.target, card.classes, card.roles, card.columns, card.plan, card.holdout,
        card.window, card.id_columns, card.reference,
    )  # fmt: skip
    metric = str(changes.pop("metric", small.study.metric))
    study = small.study.model_copy(update={"metric": metric})
    model = train_model(
        small.store, study, replace(facts, **changes), runner, root=root, folder="again", seconds=5.0,  # type: ignore[arg-type]
        memory_mb=MEMORY_MB,
    )  # fmt: skip
    return root / model.path, metric


def judged(small: Small, folder: Path, metric: str, runner: Runner):  # type: ignore[no-untyped-def]
    raw = small.raw.filter(pa.array(small.rows["holdout"]))
    y, _ = encode_target(raw.column("y"), small.problem.classes)
    clean = apply_plan(PLAN, raw).select(list(small.problem.features()))
    found, predicted = evaluate(
        folder, small.store.folder, HoldoutRows(clean, y, None, {}), runner, kind=small.problem.kind,
        metric_name=metric, roles=small.problem.feature_roles(), classes=small.problem.classes, seed=0,
        memory_mb=MEMORY_MB,
    )  # fmt: skip
    return found, predicted.model, y, raw


def served(folder: Path, raw: pa.Table) -> list[str]:
    scorer = Scorer(Model.load(folder), "p", "1", "b")
    pieces = list(scorer.score(ds.dataset(raw), BatchSize(1000, budget_mb=10_000)))
    return pa.Table.from_batches(pieces).column("prediction").to_pylist()


def test_stated_costs_decide_what_is_judged_and_what_is_served(binary: Small, runner: Runner, tmp_path: Path) -> None:
    folder, metric = retrained(binary, runner, tmp_path, costs=COSTS)

    found, p, y, raw = judged(binary, folder, metric, runner)

    said = p[:, 1] > 5 / 105
    assert served(folder, raw) == np.where(said, "yes", "no").tolist()
    assert found.confusion[0][1] == int((said & (y == 0)).sum())
    assert found.confusion[1][0] == int((~said & (y == 1)).sum())
    assert found.metrics["accuracy"] == (said == y).mean()
    assert found.holdout.value == METRICS["roc_auc"](y, p)
    assert found.money is not None
    assert found.money.cost.value == pytest.approx(5 * (said & (y == 0)).mean() + 100 * (~said & (y == 1)).mean())
    assert found.money.saved_usual.value >= 0


def test_a_threshold_for_the_metric_is_what_is_judged_and_served(binary: Small, runner: Runner, tmp_path: Path) -> None:
    folder, metric = retrained(binary, runner, tmp_path, metric="f1")
    card = ModelCard.read(folder)
    threshold = 0.2
    changed = replace(card, decision=Decision("threshold", (threshold, 1 - threshold)))
    model = Model(changed, Model.load(folder).members)

    found, p, y, raw = judged(binary, folder, metric, runner)

    labels = card.decision.chosen(p)
    assert found.holdout.value == METRICS["f1"](y, np.eye(2)[labels])
    assert served(folder, raw) == np.array(["no", "yes"])[labels].tolist()
    assert model.labels(p).tolist() == np.where(p[:, 1] > threshold, "yes", "no").tolist()


def test_several_classes_are_decided_by_their_costs(multiclass: Small, runner: Runner, tmp_path: Path) -> None:
    costs = ((0.0, 1.0, 1.0), (50.0, 0.0, 50.0), (1.0, 1.0, 0.0))  # high, low, middle: never miss a low one
    folder, metric = retrained(multiclass, runner, tmp_path, costs=costs)

    found, p, y, raw = judged(multiclass, folder, metric, runner)

    labels = (p @ np.array(costs)).argmin(axis=1)
    assert served(folder, raw) == np.array(["high", "low", "middle"])[labels].tolist()
    assert np.array(found.confusion)[:, 1].sum() > (p.argmax(axis=1) == 1).sum()
    assert found.money is not None
    assert found.money.cost.value == pytest.approx(np.array(costs)[y, labels].mean())


def test_a_model_of_an_older_version_names_the_most_probable_class(binary: Small) -> None:
    document = ModelCard.read(binary.folder).to_json()
    del document["decision"], document["class_weights"]

    card = ModelCard.from_json(document)

    assert (card.decision, card.class_weights) == (ARGMAX, ())
