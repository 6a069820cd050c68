from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.champion import load_champion
from automl_assets.core.errors import RegistryError, SchemaError, StorageError, UnknownNameError
from automl_assets.core.ports import Registry, VersionInfo
from automl_assets.core.tables import columns_of, write_arrow
from automl_assets.core.values import Batch, Evaluation, Interval, TableHandle, TrainingWindow
from automl_assets.registration.gate import Comparison
from automl_assets.registration.judge import predict_batch, predict_rows
from automl_assets.registration.model_card import model_card
from automl_assets.registration.register import (
    Candidate,
    Provenance,
    publish_candidate,
    settle_alias,
)
from automl_assets.training.model import Model, write_checksums
from resources.model_registry import ModelRegistry
from tests.registration.fakes import MemoryRegistry
from tests.training.small_models import PLAN, Small, raw_table

PROVENANCE = Provenance("run-1234567890", "f1", "name: small\n", "c" * 32, "0.1.0", "abc", "lock", 7)


def a_candidate(small: Small, name: str = "small") -> Candidate:
    handle = TableHandle(path="t", digest="batch-digest", rows=400, size_bytes=1, columns=columns_of(small.raw.schema))
    interval = Interval(value=0.9, low=0.85, high=0.95)
    evaluation = Evaluation(
        metric=small.problem.metric, higher_is_better=True, rows=80, holdout=interval, dummy=0.5, linear=0.8,
        gain_over_linear=Interval(value=0.1, low=0.05, high=0.15), metrics={"accuracy": 0.8},
        importances={"income": 0.2, "age": 0.1},
    )  # fmt: skip
    window = TrainingWindow(batches=(Batch(key="all", table=handle),))
    return Candidate(name, window, small.problem, PLAN, small.model, evaluation, small.folder, ())


def settle(
    registry: Registry,
    info: VersionInfo,
    policy: str = "if_better",
    gain: float | None = None,
    fits: bool = True,
    shadow: int = 0,
) -> tuple[bool, str, list[tuple[str | None, str]]]:
    moved: list[tuple[str | None, str]] = []

    def compare(champion: VersionInfo) -> Comparison:
        interval = None if gain is None else Interval(value=gain, low=gain, high=gain)
        return Comparison(champion.version, 80, interval, champion_fits_schema=fits)

    told = settle_alias(
        registry, info, policy, "roc_auc", compare,  # type: ignore[arg-type]
        moving=lambda before, why: moved.append((before, why)), url=None,
        shadow_batches=shadow,
    )  # fmt: skip
    return told.promoted, told.reason, moved


# ---- in memory ---------------------------------------------------------------------------------------------------


def test_a_version_says_where_it_comes_from(binary: Small) -> None:
    registry = MemoryRegistry()

    info = publish_candidate(registry, a_candidate(binary), PROVENANCE)

    (publication,) = registry.published
    assert info.version == "1"
    assert publication.version_tags == {
        "dagster_run_id": "run-1234567890", "fingerprint": "f1", "data_hashes": "batch-digest",
        "config_hash": "c" * 32, "code_version": "0.1.0", "git_commit": "abc", "lock_hash": "lock", "seed": "7",
        "format_version": "1", "model_sha256": binary.model.digest,
    }  # fmt: skip
    assert publication.run_tags["dagster_run_id"] == "run-1234567890"
    assert publication.metrics["holdout_roc_auc"] == 0.9
    assert publication.metrics["linear_roc_auc"] == 0.8
    assert publication.params["kind"] == "binary"


def test_the_same_fingerprint_never_makes_a_second_version(binary: Small) -> None:
    registry = MemoryRegistry()
    candidate = a_candidate(binary)

    first = publish_candidate(registry, candidate, PROVENANCE)
    second = publish_candidate(registry, candidate, replace(PROVENANCE, dagster_run_id="another run"))
    third = publish_candidate(registry, candidate, replace(PROVENANCE, fingerprint="f2"))

    assert (first.version, second.version, third.version) == ("1", "1", "2")


def test_the_first_version_becomes_the_champion(binary: Small) -> None:
    registry = MemoryRegistry()
    info = publish_candidate(registry, a_candidate(binary), PROVENANCE)

    promoted, reason, moved = settle(registry, info)

    assert (promoted, moved) == (True, [(None, "there was no champion yet")])
    assert registry.aliases == {("small", "champion"): "1"}
    assert registry.tags["1"] == {"gate": reason, "review_requested": "false"}


@pytest.mark.parametrize(
    ("policy", "gain", "fits", "promoted", "review"),
    [
        ("if_better", 0.01, True, True, "false"),
        ("if_better", 0.0, True, False, "false"),
        ("if_better", -0.01, True, False, "false"),
        ("if_better", None, True, False, "true"),
        ("if_better", None, False, True, "false"),
        ("always", -0.5, True, True, "false"),
        ("never", 0.5, True, False, "false"),
        ("ask", 0.5, True, False, "true"),
    ],
)
def test_the_alias_moves_when_the_gate_says_so_and_then_only(
    binary: Small, policy: str, gain: float | None, fits: bool, promoted: bool, review: str
) -> None:
    registry = MemoryRegistry()
    settle(registry, publish_candidate(registry, a_candidate(binary), PROVENANCE))
    challenger = publish_candidate(registry, a_candidate(binary), replace(PROVENANCE, fingerprint="f2"))

    told, reason, moved = settle(registry, challenger, policy, gain, fits)

    assert told is promoted
    assert registry.aliases["small", "champion"] == ("2" if promoted else "1")
    assert moved == ([("1", reason)] if promoted else [])
    assert registry.tags["2"]["review_requested"] == review


def test_settling_twice_moves_and_records_once(binary: Small) -> None:
    registry = MemoryRegistry()
    info = publish_candidate(registry, a_candidate(binary), PROVENANCE)
    settle(registry, info)

    promoted, reason, moved = settle(registry, info, gain=-1.0)

    assert (promoted, reason, moved) == (True, "it is the champion already", [])


def test_a_better_version_becomes_the_challenger_where_a_shadow_is_asked_for(binary: Small) -> None:
    registry = MemoryRegistry()
    settle(registry, publish_candidate(registry, a_candidate(binary), PROVENANCE), shadow=3)
    challenger = publish_candidate(registry, a_candidate(binary), replace(PROVENANCE, fingerprint="f2"))

    for _ in range(2):
        promoted, reason, moved = settle(registry, challenger, gain=0.01, shadow=3)
        assert (promoted, moved) == (False, [])
        assert "first it scores the next 3 batches beside the champion" in reason
        assert registry.aliases == {("small", "champion"): "1", ("small", "challenger"): "2"}


def test_a_promotion_ends_another_version_s_shadow(binary: Small) -> None:
    registry = MemoryRegistry()
    for fingerprint in ("f1", "f2", "f3"):
        publish_candidate(registry, a_candidate(binary), replace(PROVENANCE, fingerprint=fingerprint))
    registry.aliases = {("small", "champion"): "1", ("small", "challenger"): "2"}

    promoted, _, _ = settle(registry, registry.version("small", "3"), gain=0.1)

    assert promoted
    assert registry.aliases == {("small", "champion"): "3"}


def test_the_card_names_columns_and_scores_and_no_value(binary: Small) -> None:
    candidate = a_candidate(binary)

    card = model_card("small", candidate.window, candidate.problem, PLAN, candidate.model, candidate.evaluation)

    assert "Predicts **y** (binary) from 3 columns." in card
    assert "| this model | 0.9 [0.85, 0.95] |" in card
    assert "What matters most: income, age." in card
    assert not {"Basel", "Bern", "Chur", "r17"} & set(card.split())


# ---- the judge ---------------------------------------------------------------------------------------------------


def judged(small: Small, rows: pa.Table, folder: Path, kind: str, classes: list[str]) -> tuple[dict[str, object], Path]:
    write_arrow(folder / "rows.arrow", rows)
    out = folder / "out.npy"
    told = predict_rows(
        str(small.folder), small.model.digest, str(folder / "rows.arrow"), str(out),
        kind=kind, classes=classes, threads=1,
    )  # fmt: skip
    return told, out


def test_a_champion_answers_in_the_challengers_class_order(multiclass: Small, tmp_path: Path) -> None:
    own = multiclass.load().predict(multiclass.raw)

    told, out = judged(multiclass, multiclass.raw, tmp_path, "multiclass", ["middle", "new", "low", "high"])

    aligned = np.load(out)
    assert told["fits"] is True
    assert 0 < float(str(told["row_ms"])) < 10_000
    assert np.allclose(aligned.sum(axis=1), 1.0)
    assert aligned[:, [3, 2, 0]] == pytest.approx(own, abs=1e-5)
    assert (aligned[:, 1] < 1e-5).all()


@pytest.mark.parametrize(
    ("drop", "kind", "why"), [("income", "binary", "it needs income"), (None, "regression", "it solves a binary")]
)
def test_a_champion_that_can_not_score_says_why(
    binary: Small, tmp_path: Path, drop: str | None, kind: str, why: str
) -> None:
    rows = binary.raw.drop_columns([drop]) if drop else binary.raw

    told, _ = judged(binary, rows, tmp_path, kind, ["no", "yes"])

    assert told["fits"] is False
    assert why in str(told["why"])


def test_a_batch_is_predicted_in_pieces_like_a_table(small: Small, tmp_path: Path) -> None:
    pq.write_table(small.raw, tmp_path / "batch.parquet")
    classes = list(small.problem.classes)

    told = predict_batch(
        str(small.folder), small.model.digest, [str(tmp_path / "batch.parquet")], str(tmp_path / "out.npy"),
        kind=small.problem.kind, classes=classes, threads=1, batch_rows=77, memory_mb=1000.0,
    )  # fmt: skip

    assert told == {"fits": True}
    assert np.load(tmp_path / "out.npy") == pytest.approx(small.load().predict(small.raw), abs=1e-5)


# ---- MLflow ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def mlflow_registry(home: Path) -> ModelRegistry:
    """A real MLflow on SQLite and files, shared by this file: it takes seconds to start."""
    return ModelRegistry(home=str(home))


def test_mlflow_never_has_two_versions_of_one_fingerprint(mlflow_registry: ModelRegistry, binary: Small) -> None:
    candidate = a_candidate(binary, "twice")

    first = publish_candidate(mlflow_registry, candidate, PROVENANCE)
    second = publish_candidate(mlflow_registry, candidate, replace(PROVENANCE, dagster_run_id="again"))
    third = publish_candidate(mlflow_registry, candidate, replace(PROVENANCE, fingerprint="other"))

    assert (first.version, second.version, third.version) == ("1", "1", "2")
    assert [info.version for info in mlflow_registry.versions("twice")] == ["2", "1"]
    assert mlflow_registry.metrics(first)["holdout_roc_auc"] == 0.9


def test_a_version_in_mlflow_is_loaded_with_its_digest_checked(
    mlflow_registry: ModelRegistry, binary: Small, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_HOME", str(home))
    with pytest.raises(RegistryError, match="loaded has no champion yet"):
        load_champion("loaded")
    info = publish_candidate(mlflow_registry, a_candidate(binary, "loaded"), PROVENANCE)
    assert settle(mlflow_registry, info)[0]
    rows = raw_table("binary", rows=10, seed=3)

    champion = load_champion("loaded")

    assert (champion.name, champion.version, champion.classes_.tolist()) == ("loaded", "1", ["no", "yes"])
    expected = binary.load().predict(rows)
    assert np.allclose(champion.predict_proba(rows), expected)
    assert np.allclose(champion.predict_proba(rows.to_pandas()), expected)
    assert champion.predict(rows.to_pydict()).tolist() == champion.predict(rows).tolist()
    assert set(champion.predict(rows)) <= {"no", "yes"}
    with pytest.raises(SchemaError, match=r"none of the columns.*age, income, city"):
        champion.predict(np.zeros((2, 3)))
    with pytest.raises(UnknownNameError, match="Unknown version of loaded '9'"):
        load_champion("loaded", "9")

    card = mlflow_registry.folder(info, "model") / "model.json"
    card.write_text(card.read_text().replace('"target": "y"', '"target": "z"'))
    write_checksums(card.parent)
    with pytest.raises(StorageError, match="not the ones that were registered"):
        load_champion("loaded")


def test_an_alias_in_mlflow_is_set_and_removed_any_number_of_times(
    mlflow_registry: ModelRegistry, binary: Small
) -> None:
    info = publish_candidate(mlflow_registry, a_candidate(binary, "aliased"), PROVENANCE)
    mlflow_registry.remove_alias("nothing_of_that_name", "challenger")
    mlflow_registry.set_alias("aliased", "challenger", info.version)
    assert mlflow_registry.version("aliased", "1").aliases == ("challenger",)

    for _ in range(2):
        mlflow_registry.remove_alias("aliased", "challenger")
        assert mlflow_registry.aliased("aliased", "challenger") is None


def test_mlflow_keeps_the_documents_beside_the_model(mlflow_registry: ModelRegistry, binary: Small) -> None:
    info = publish_candidate(mlflow_registry, a_candidate(binary, "documents"), PROVENANCE)

    assert mlflow_registry.folder(info, "pipeline.yaml").read_text() == "name: small\n"
    for name in ("evaluation.json", "plan.json", "problem.json", "model_card.md"):
        assert mlflow_registry.folder(info, name).stat().st_size > 0
    kept = Model.load(mlflow_registry.folder(info, "model"), digest=binary.model.digest)
    assert kept.card == binary.load().card
