"""The daemon killed between deciding and acting: exactly one training run follows, and its action ends done."""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from automl_assets.core.evidence import Verdict
from automl_assets.core.records import Action, VerdictRow, now
from automl_assets.deciding.respond import respond
from resources.platform_database import PlatformDatabase
from resources.records.actions import Actions
from resources.records.verdicts import Verdicts
from resources.settings import template
from sensors.drift_retraining import ACTION_TAG
from tests.end_to_end.command import Project, table_text, wait_until
from tests.end_to_end.daemon import SENSOR_SECONDS, Server, ticks, write_tiny

NAME = "retrained"
SENSOR = "drift_retraining"
QUIET_TICKS = 1
VERDICTS = 4
KILLS = 3
OFTEN = "  monitoring: {cooldown_hours: 0, max_retrains_per_day: 100}\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A pipeline whose table has been read, and its code server."""
    made = Server(Project(tmp_path_factory.mktemp("daemon")))
    write_tiny(made.project, NAME, "../../table.csv", OFTEN)
    (made.project.root / "table.csv").write_text(table_text(300))
    made.prepare(template("dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(made.dagster_home)):
        pass  # its databases are there before two processes look for them
    try:
        made.start_code(wait=False)
        made.project.ok("run", NAME, "--until", "quality_report")
        made.wait_for_code()
        yield made
    finally:
        made.close()


@pytest.fixture
def instance(server: Server) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(server.dagster_home)) as instance:
        yield instance


@dataclass
class Retrains:
    """What was decided, and what became of it."""

    instance: dg.DagsterInstance
    platform: PlatformDatabase

    def decide(self, number: int) -> Action:
        """A verdict that asks for a retrain, written down together with its action, as a run does it."""
        verdict = Verdict(
            pipeline=NAME,
            batch=f"week_{number}.csv",
            sequence=number,
            champion="1",
            finding=f"f{number}",
            action="retrain",
            severity="critical",
            reasons=("ROC AUC fell by 0.1",),
            acts=True,
        )
        (retrain,) = respond(verdict, digest=f"d{number}").actions
        Verdicts(self.platform).record(VerdictRow(verdict, now()), [retrain])
        return retrain

    def runs(self, of: Action) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(tags={ACTION_TAG: of.key})))

    def now(self, of: Action) -> Action:
        return next(action for action in Actions(self.platform).of(NAME, kinds=["retrain"]) if action.key == of.key)

    def ended(self, action: Action) -> bool:
        return self.now(action).state in ("done", "failed")

    def ticks(self) -> int:
        """How often the sensor has looked without an error."""
        return sum(tick.status.value in ("SKIPPED", "SUCCESS") for tick in ticks(self.instance, SENSOR))

    def check(self, action: Action, server: Server) -> None:
        """One run carries the action's tag and succeeded, the action says so, and no tick asks for another."""
        assert wait_until(lambda: self.ended(action), 120, poll=0.2), server.log("daemon") + server.log("code")
        (run,) = self.runs(action)
        assert run.status == dg.DagsterRunStatus.SUCCESS, server.log("code")
        done = self.now(action)
        assert (done.state, done.run_id, done.payload["version"]) == ("done", run.run_id, "1")
        seen = self.ticks()
        assert wait_until(lambda: self.ticks() >= seen + QUIET_TICKS, 60)
        assert [again.run_id for again in self.runs(action)] == [run.run_id], "it is asked for once"


@pytest.fixture
def retrains(server: Server, instance: dg.DagsterInstance) -> Retrains:
    return Retrains(instance, PlatformDatabase.of(server.project.home, None))


def test_one_run_follows_from_one_verdict_when_the_daemon_is_killed_before_and_after_it_asked(
    server: Server, instance: dg.DagsterInstance, retrains: Retrains
) -> None:
    server.start_daemon()
    server.switch_on(instance, [SENSOR])
    assert wait_until(lambda: retrains.ticks() > 0, 90), server.log("daemon")
    server.kill_daemon()
    action = retrains.decide(1)
    assert (retrains.now(action).state, retrains.runs(action)) == ("pending", [])

    server.start_daemon()
    assert wait_until(lambda: bool(retrains.runs(action)), 90, poll=0.01), server.log("daemon")
    server.kill_daemon()
    assert retrains.now(action).state == "pending", "it was killed before it could note what it had asked for"

    server.start_daemon()
    retrains.check(action, server)


@pytest.mark.slow
def test_one_run_follows_from_each_verdict_whenever_the_daemon_is_killed(
    server: Server, instance: dg.DagsterInstance, retrains: Retrains
) -> None:
    seed = int(os.environ.get("AUTOML_TEST_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"\nkill seed {seed} (AUTOML_TEST_KILL_SEED={seed} repeats it)")
    drawn = random.Random(seed)
    server.kill_daemon()
    server.switch_on(instance, [SENSOR])
    for number in range(2, 2 + VERDICTS):
        action = retrains.decide(number)
        for _ in range(KILLS):
            server.start_daemon()
            seen = retrains.ticks()
            wait_until(lambda: retrains.ticks() > seen, 60, poll=0.01)  # noqa: B023 - called at once
            time.sleep(drawn.uniform(0, 2 * SENSOR_SECONDS))
            server.kill_daemon()
        server.start_daemon()
        retrains.check(action, server)
        server.kill_daemon()
