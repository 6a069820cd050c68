"""promote, rollback and compare by hand, on a real MLflow: version 1 and 2 are one model, 3 predicts something else."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from automl_assets.cli import models
from automl_assets.cli.display_models import print_compare
from automl_assets.core.errors import InputError, RegistryError, UnknownNameError
from automl_assets.core.tables import write_table
from automl_assets.core.values import CheckOutcome, RawTable
from automl_assets.registration.register import publish_candidate
from resources.model_registry import ModelRegistry
from resources.platform_database import close_all
from resources.table_store import TableStore
from tests.registration.test_register import PROVENANCE, a_candidate
from tests.training.small_models import Small, raw_table

YAML = """type: automl_assets.AutoMLPipeline
attributes:
  name: small
  source: {type: csv, path: small.csv}
  target: y
  columns: {sensitive: [city]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for the file: MLflow takes seconds to start. Tests run in order."""
    root = tmp_path_factory.mktemp("cli")
    (root / "pipelines" / "small").mkdir(parents=True)
    (root / "pipelines" / "small" / "defs.yaml").write_text(YAML)
    yield root / "home"
    close_all()


@pytest.fixture(scope="module")
def registry(home: Path, binary: Small, regression: Small) -> ModelRegistry:
    registry = ModelRegistry(home=str(home))
    for number, small in enumerate((binary, binary, regression)):
        publish_candidate(registry, a_candidate(small), replace(PROVENANCE, fingerprint=str(number)))
    return registry


@pytest.fixture(autouse=True)
def _machine(home: Path, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOML_HOME", str(home))
    monkeypatch.setenv("AUTOML_PIPELINES", str(home.parent / "pipelines"))
    monkeypatch.setenv("AUTOML_ACTOR", "ada")
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))


def land(home: Path, key: str, table: pa.Table, *, passed: bool = True) -> None:
    """A batch in the store, as raw_table leaves it."""
    store = TableStore(home=str(home))
    handle = write_table(
        table.to_batches(), table.schema, store.tables_root, store.table_folder("small", "raw_table", key)
    )
    check = CheckOutcome(name="rows_readable", passed=passed, blocking=True, description="")
    store.save("small", "raw_table", key, RawTable(batch=key, source_digest=key, table=handle, checks=(check,)), key)


def aliases(registry: ModelRegistry) -> dict[str, str]:
    return {alias: info.version for info in registry.versions("small") for alias in info.aliases}


# ---- promote and rollback ----------------------------------------------------------------------------------------


def test_without_a_champion_there_is_nothing_to_roll_back() -> None:
    with pytest.raises(RegistryError, match="small has no champion yet"):
        models.rollback("small", "why")


def test_the_first_promotion_has_nothing_before_it(registry: ModelRegistry) -> None:
    told = models.promote("small", "1", "it is the first")

    assert {key: value for key, value in told.items() if key != "at"} == {
        "pipeline": "small",
        "what": "promote",
        "before": None,
        "after": "1",
        "actor": "ada",
        "reason": "it is the first",
    }
    assert aliases(registry) == {"champion": "1"}
    with pytest.raises(InputError, match=r"had no champion before version 1.*automl promote"):
        models.rollback("small", "why")


def test_the_champion_can_not_be_promoted_again() -> None:
    with pytest.raises(InputError, match=r"Version 1 of small is the champion already.*automl show small"):
        models.promote("small", "1", "again")
    with pytest.raises(UnknownNameError, match="Unknown version of small '9'"):
        models.promote("small", "9", "why")


def test_promotion_and_rollback_end_a_shadow(registry: ModelRegistry) -> None:
    registry.set_alias("small", "challenger", "2")

    told = models.promote("small", "2", "it did well in the shadow")

    assert (told["before"], told["after"]) == ("1", "2")
    assert aliases(registry) == {"champion": "2"}
    registry.set_alias("small", "challenger", "3")
    assert models.rollback("small", "no")["after"] == "1"
    assert aliases(registry) == {"champion": "1"}


def test_a_rollback_that_was_killed_goes_on_instead_of_further_back(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.promote("small", "2", "up")
    models.promote("small", "3", "and up")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("resources.promotion.Promotions._tell", die)
        with pytest.raises(KeyboardInterrupt):
            models.rollback("small", "down")
    assert aliases(registry) == {"champion": "2"}

    told = models.rollback("small", "down")

    assert (told["before"], told["after"]) == ("3", "2")
    assert aliases(registry) == {"champion": "2"}


# ---- compare -----------------------------------------------------------------------------------------------------


def test_without_stored_rows_versions_are_not_comparable() -> None:
    found = models.compare("small", "1", "2")

    assert (found["comparable"], found["gain"], found["rows"]) == (False, None, 0)
    assert found["reason"] == "no rows that neither was trained on"


def test_two_versions_are_compared_on_rows_that_neither_saw(home: Path) -> None:
    land(home, "monday.csv", raw_table("binary", rows=400, seed=11))
    land(home, "tues/day.csv", raw_table("binary", rows=200, seed=12))
    land(home, "broken.csv", raw_table("binary", rows=100, seed=13), passed=False)
    land(home, "unlabelled.csv", raw_table("binary", rows=100, seed=14).drop_columns(["y"]))

    found = models.compare("small", "1", "2")

    assert (found["versions"], found["metric"], found["comparable"], found["rows"]) == (
        ["1", "2"],
        "roc_auc",
        True,
        600,
    )
    assert found["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["scores"]["1"] == found["scores"]["2"] > 0.8
    assert found["calibration"]["1"] == found["calibration"]["2"] < 0.2
    assert {one["group"] for one in found["slices"]} == {"Basel", "Bern ", " Chur"}
    assert set(found["row_ms"]) == {"1", "2"}
    assert found["reason"].startswith("not better than version 1")
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_versions_of_different_problems_are_not_comparable() -> None:
    found = models.compare("small", "1", "3")

    assert (found["comparable"], found["metric"]) == (False, "rmse")
    assert found["reason"] == "one solves a regression problem, the other a binary one"


def test_a_version_is_not_compared_with_itself() -> None:
    with pytest.raises(InputError, match=r"can't be compared with itself. Name two versions"):
        models.compare("small", "2", "2")
    with pytest.raises(UnknownNameError, match="Unknown version of small '9'"):
        models.compare("small", "2", "9")


GAIN = {"value": 0.012, "low": -0.001, "high": 0.02}
COMPARED: dict[str, Any] = {
    "pipeline": "small", "versions": ["1", "2"], "metric": "roc_auc", "higher_is_better": True, "comparable": True,
    "reason": "better", "rows": 1600, "gain": GAIN, "scores": {"1": 0.81234, "2": None},
    "slices": [{"column": "city", "group": "[bold]Bern", "rows": 1200, "gain": GAIN}],
    "calibration": {"1": 0.02, "2": 0.05}, "row_ms": {"1": 2.0, "2": 80.0}, "harms": ["a row takes 80 ms instead of 2"],
}  # fmt: skip


def test_people_read_both_versions_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    print_compare(COMPARED)

    shown = capsys.readouterr().out
    for words in (
        "Version 2 against 1: roc_auc +0.012 [-0.001, +0.02] on 1,600 rows",
        "roc_auc (higher is better)",
        "0.8123",
        "—",
        "calibration error",
        "[bold]Bern",
        "1,200",
        "Version 2: a row takes 80 ms instead of 2.",
    ):
        assert words in shown


def test_people_read_why_versions_are_not_comparable(capsys: pytest.CaptureFixture[str]) -> None:
    print_compare({**COMPARED, "comparable": False, "reason": "no rows that neither was trained on"})

    assert capsys.readouterr().out == "Versions 1 and 2 can't be compared: no rows that neither was trained on.\n"
