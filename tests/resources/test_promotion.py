from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.core.ports import Publication
from automl_assets.core.values import Champion
from automl_assets.pipeline import PipelineConfig
from automl_assets.registration.steps import CHAMPION
from resources.platform_database import PlatformDatabase, close_all
from resources.promotion import Promotions
from resources.records.acts import Acts
from resources.table_store import TableStore
from tests.registration.fakes import MemoryRegistry

CONFIG = PipelineConfig.model_validate({"name": "churn", "source": {"type": "csv", "path": "x.csv"}, "target": "y"})
KEY = dg.AssetKey(["churn", "champion"])


class Killed(BaseException):
    """What a SIGKILL is to the code that runs."""


@pytest.fixture
def promotions(tmp_path: Path) -> Iterator[Promotions]:
    registry = MemoryRegistry()
    for version in "123":
        registry.publish(Publication("churn", {}, {}, {}, {}, {"model_sha256": f"sha {version}"}, ""))
    registry.set_alias("churn", "champion", "1")
    with dg.DagsterInstance.ephemeral() as instance:
        database = PlatformDatabase.of(tmp_path, None)
        yield Promotions(registry, Acts(database), TableStore(home=str(tmp_path)), instance, CHAMPION)
    close_all()


def move(promotions: Promotions, version: str, what: str = "promote", reason: str = "better") -> tuple:
    target = promotions.registry.version("churn", version)
    act = promotions.move(CONFIG, target, what=what, actor="ada", reason=reason)
    return (act.what, act.before, act.after)


def champion(promotions: Promotions) -> str | None:
    found = promotions.registry.aliased("churn", "champion")
    return found.version if found else None


def told_dagster(promotions: Promotions) -> list[str]:
    records = promotions.instance.fetch_materializations(KEY, limit=10).records
    return [str(record.asset_materialization.metadata["version"].value) for record in records]  # type: ignore[union-attr]


def test_a_move_is_recorded_made_and_told(promotions: Promotions) -> None:
    assert move(promotions, "2") == ("promote", "1", "2")

    (act,) = promotions.acts.of("churn")
    assert (act.what, act.actor, act.reason, act.before, act.after) == ("promote", "ada", "better", "1", "2")
    assert champion(promotions) == "2"
    stored = promotions.store.latest("churn", "champion")
    assert stored is not None
    assert stored == Champion(name="churn", version="2", run_id="run 2", digest="sha 2")
    assert told_dagster(promotions) == ["2"]
    record = promotions.instance.fetch_materializations(KEY, limit=1).records[0]
    assert record.asset_materialization is not None
    assert record.asset_materialization.tags == {"dagster/data_version": stored.data_version()}
    fingerprint = CHAMPION.fingerprint(CONFIG, {"alias": "2"})
    assert promotions.store.find("churn", "champion", "all", fingerprint) == stored


def test_any_move_ends_a_challenger_s_shadow(promotions: Promotions) -> None:
    promotions.registry.set_alias("churn", "challenger", "3")

    move(promotions, "2", "rollback")

    assert promotions.registry.aliased("churn", "challenger") is None


def test_a_challenger_is_dropped_once(promotions: Promotions) -> None:
    promotions.registry.set_alias("churn", "challenger", "3")

    assert [promotions.drop_challenger("churn") for _ in range(2)] == ["3", None]
    assert champion(promotions) == "1"


def die(*_: object, **__: object) -> None:
    """Stands where the process is killed."""
    raise Killed


KILLED_AT = {
    "before the alias moves": (MemoryRegistry, "set_alias"),
    "before Dagster knows": (dg.DagsterInstance, "report_runless_asset_event"),
    "before the value is stored": (TableStore, "save"),
}


@pytest.mark.parametrize("when", KILLED_AT)
@pytest.mark.parametrize("what", ["promote", "rollback"])
def test_a_killed_move_is_finished_with_one_record(
    promotions: Promotions, when: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        owner, call = KILLED_AT[when]
        patched.setattr(owner, call, die)
        with pytest.raises(Killed):
            move(promotions, "2", what)
    begun = promotions.unfinished("churn", what)
    assert begun is not None
    assert begun.after == "2"

    assert move(promotions, "2", what, "again") == (what, "1", "2")

    assert [act.reason for act in promotions.acts.of("churn")] == ["better"]
    assert champion(promotions) == "2"
    assert told_dagster(promotions)[0] == "2"
    assert promotions.unfinished("churn", what) is None


def test_a_move_elsewhere_after_a_killed_one_is_a_move_of_its_own(
    promotions: Promotions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(MemoryRegistry, "set_alias", die)
        with pytest.raises(Killed):
            move(promotions, "2")

    assert move(promotions, "3") == ("promote", "1", "3")
    assert [(act.before, act.after) for act in promotions.acts.of("churn")] == [("1", "3"), ("1", "2")]


def test_there_and_back_and_there_again_are_three_moves(promotions: Promotions) -> None:
    moves = [move(promotions, "2"), move(promotions, "1", "rollback"), move(promotions, "2")]

    assert moves == [("promote", "1", "2"), ("rollback", "2", "1"), ("promote", "1", "2")]
    assert len(promotions.acts.of("churn")) == 3
    assert told_dagster(promotions) == ["2", "1", "2"]
