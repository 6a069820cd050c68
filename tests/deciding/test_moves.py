"""Promotions, rollbacks and the end of a shadow, once each, whatever is killed."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.records import Action
from automl_assets.core.values import Champion
from tests.deciding.test_decide import drift
from tests.deciding.world import PREVIOUS_BETTER, Killed, World, challenged

BACKFILL = {"automl/backfill": "true"}
ROLLED_BACK = "version 1, the champion before, is better"


def test_a_rollback_moves_the_alias_once_and_says_so(world: World) -> None:
    world.promoted("1", "2")

    verdict = world.decide("b1", drift(), PREVIOUS_BETTER)

    assert (verdict.action, verdict.acts, world.champion()) == ("rollback", True, "1")
    assert verdict.reasons[0].startswith(ROLLED_BACK)
    assert world.asked() == [("rollback", "done")]
    assert world.told() == ["Version 1 becomes the champion again"]
    assert world.moved() == [("promote", "1", "2"), ("rollback", "2", "1")]
    stored = world.store.latest("churn", "champion")
    assert isinstance(stored, Champion)
    assert stored.version == "1"


@pytest.mark.parametrize(
    "point", ["promotion.Promotions.move", "promotion.Promotions._tell", "records.actions.Actions.finish"]
)
def test_a_rollback_that_was_killed_is_finished_by_the_next_verdict_and_moves_once(
    world: World, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    world.promoted("1", "2")
    world.land("b1", "b2", "b3")

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(f"resources.{point}", die)
        with pytest.raises(Killed):
            world.decide("b1", drift(), PREVIOUS_BETTER)
    assert world.asked() == [("rollback", "pending")]
    world.decide("b2", tags=BACKFILL)
    assert world.asked() == [("rollback", "pending")], "a backfill finishes nothing"

    world.decide("b3")

    assert (world.champion(), world.asked()) == ("1", [("rollback", "done")])
    assert world.moved() == [("promote", "1", "2"), ("rollback", "2", "1")]
    records = world.instance.fetch_materializations(dg.AssetKey(["churn", "champion"]), limit=10).records
    assert len(records) == 1, "Dagster is told once"
    world.decide("b3")
    assert len(world.moved()) == 2


def test_a_rollback_that_waits_gives_way_to_a_person_s_promotion(world: World) -> None:
    payload = {"version": "1", "champion": "2"}
    world.actions.add(Action("churn", "rollback", "rollback-f", "better", payload=payload))
    target = world.registry.version("churn", "3")
    world.promotions().move(world.config, target, what="promote", actor="ada", reason="by hand")

    world.decide("b1")

    (action,) = world.actions.of("churn")
    assert (action.state, action.outcome, world.champion()) == ("cancelled", "version 3 is the champion now", "3")


def test_a_version_that_was_deleted_fails_its_move_and_stops_nothing(world: World) -> None:
    world.actions.add(Action("churn", "promote", "promote-f", "better", payload={"version": "9", "champion": "2"}))

    assert world.decide("b1").action == "none"

    (action,) = world.actions.of("churn")
    assert (action.state, action.outcome) == ("failed", "version 9 is gone")


def test_a_challenger_that_did_better_in_its_shadow_becomes_the_champion(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    world = World(tmp_path, instance, registration={"shadow_batches": 2})
    world.registry.set_alias("churn", "challenger", "3")
    world.land("b1", "b2")

    verdicts = [world.decide(key, drift(), challenged(0.03)) for key in ("b1", "b1", "b2")]

    assert [verdict.action for verdict in verdicts] == ["none", "none", "promote"]
    assert world.registry.aliases == {("churn", "champion"): "3"}
    assert (world.asked(), world.moved()) == ([("promote", "done")], [("promote", "2", "3")])


def test_the_same_batch_scored_twice_counts_once_in_a_shadow_and_whole_tables_count_each(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    files = World(tmp_path / "files", instance, registration={"shadow_batches": 2})
    whole = World(tmp_path / "whole", instance, registration={"shadow_batches": 2}, batches={"kind": "none"})

    for gain in (0.03, 0.04, 0.05):
        assert files.decide("b1", drift(), challenged(gain)).action == "none"
    actions = [whole.decide("all", drift(), challenged(gain)).action for gain in (0.03, 0.04)]

    assert actions == ["none", "promote"]


def test_a_challenger_that_did_no_better_is_dropped_with_its_reason(world: World) -> None:
    world.registry.set_alias("churn", "challenger", "3")
    world.land("b1", "b2")
    world.decide("b2", drift(), challenged(-0.03), tags=BACKFILL)
    assert ("churn", "challenger") in world.registry.aliases

    verdict = world.decide("b2", drift(), challenged(-0.02))

    assert (verdict.action, verdict.champion) == ("none", "2")
    assert ("churn", "challenger") in world.registry.aliases, "the backfill measured this batch before"
    assert world.decide("b1", drift(), challenged(-0.04)).action == "none"
    assert ("churn", "challenger") in world.registry.aliases, "an older batch ends no shadow"
    world.land("b3")
    world.decide("b3", drift(), challenged(-0.03))
    (action,) = world.actions.of("churn")
    assert (action.kind, action.state) == ("drop", "done")
    assert action.reason.startswith("version 3 did no better beside the champion")
    assert world.registry.aliases == {("churn", "champion"): "2"}


def test_a_drop_that_was_killed_leaves_another_challenger_alone(world: World) -> None:
    world.actions.add(Action("churn", "drop", "drop-f", "no better", payload={"version": "3", "champion": "2"}))
    world.registry.set_alias("churn", "challenger", "1")

    world.decide("b1")

    assert world.asked() == [("drop", "done")]
    assert world.registry.aliases["churn", "challenger"] == "1"
