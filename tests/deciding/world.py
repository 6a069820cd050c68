"""One pipeline and everything that deciding touches, on a real database."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from automl_assets.core.errors import unknown_name
from automl_assets.core.evidence import DriftReport, PerformanceReport, RivalScore, Verdict
from automl_assets.core.ports import Publication, VersionInfo
from automl_assets.core.records import Act, LandedBatch, now
from automl_assets.core.values import Champion, Interval, RawTable, TableHandle
from automl_assets.deciding.assets import Deciding
from automl_assets.pipeline import PipelineConfig
from automl_assets.registration.steps import CHAMPION
from resources.memory_monitor import MemoryMonitor
from resources.pipeline_lock import PipelineLock
from resources.platform_database import PlatformDatabase
from resources.promotion import Promotions
from resources.records.actions import Actions
from resources.records.acts import Acts
from resources.records.batches import Batches
from resources.records.notices import Notices
from resources.steps import Steps
from resources.table_store import TableStore
from tests.deciding.test_decide import drift, performance, unlabelled
from tests.registration.fakes import MemoryRegistry


class Killed(BaseException):
    """What a SIGKILL is to the code that runs."""


class NamingRegistry(MemoryRegistry):
    """One whose error for an unknown version names those that there are."""

    def version(self, name: str, version: str) -> VersionInfo:
        known = {info.version: info for info in self.versions(name)}
        if version not in known:
            raise unknown_name(f"version of {name}", version, known)
        return known[version]


class World:
    """One pipeline whose version 2 is the champion, and everything that deciding touches."""

    def __init__(self, home: Path, instance: dg.DagsterInstance, **sections: Any):
        document = {"name": "churn", "source": {"type": "csv", "path": "in"}, "target": "y", **sections}
        self.config = PipelineConfig.model_validate({"batches": {"kind": "files"}, **document})
        self.registry = NamingRegistry()
        for version in "123":
            self.registry.publish(Publication("churn", {}, {}, {}, {}, {"model_sha256": f"sha {version}"}, ""))
        self.registry.set_alias("churn", "champion", "2")
        home.mkdir(exist_ok=True)
        self.database = PlatformDatabase.of(home, None)
        self.store = TableStore(home=str(home))
        self.instance = instance
        self.steps = Steps(store=self.store, lock=PipelineLock(home=str(home)), memory=MemoryMonitor())
        self.actions, self.acts = Actions(self.database), Acts(self.database)

    def land(self, *keys: str) -> None:
        Batches(self.database).land([LandedBatch("churn", key, f"bytes of {key}") for key in keys])

    def raw(self, batch: str, rows: int = 1000) -> RawTable:
        table = TableHandle(path=f"{batch}.parquet", digest=f"rows of {batch}", rows=rows, size_bytes=1, columns=())
        return RawTable(batch=batch, source_digest=f"bytes of {batch}", table=table)

    def decide(
        self,
        batch: str,
        report: DriftReport | None = None,
        seen: PerformanceReport | None = None,
        *,
        raw: RawTable | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Verdict:
        champion = self.champion()
        run = dg.DagsterRun(job_name="churn_score", tags=dict(tags or {}))
        deciding = Deciding(self.config, self.steps, self.registry, self.database, self.instance, run)
        scored = Champion(name="churn", version=champion, run_id="", digest="")
        return deciding.decide(raw or self.raw(batch), scored, report or drift(), seen or unlabelled())

    def champion(self) -> str:
        return self.registry.aliases["churn", "champion"]

    def asked(self) -> list[tuple[str, str]]:
        """Actions by kind and state, oldest first."""
        return [(action.kind, action.state) for action in reversed(self.actions.of("churn"))]

    def told(self) -> list[str]:
        return [notice.title for notice in reversed(Notices(self.database).of("churn"))]

    def promotions(self) -> Promotions:
        return Promotions(self.registry, self.acts, self.store, self.instance, CHAMPION)

    def moved(self) -> list[tuple[str, str | None, str | None]]:
        """How the champion moved: what, before, after; oldest first."""
        return [(act.what, act.before, act.after) for act in reversed(self.acts.of("churn"))]

    def promoted(self, before: str, after: str, hours_ago: float = 1.0) -> None:
        """A promotion that happened before the batches."""
        self.acts.record(Act("churn", "promote", "gate", "better", before, after, now() - timedelta(hours=hours_ago)))


def rival(version: str, role: Any, value: float, rows: int = 1000) -> RivalScore:
    gain = Interval(value=value, low=value - 0.01, high=value + 0.01)
    return RivalScore(version=version, role=role, rows=rows, gain=gain, scored=rows)


PREVIOUS_BETTER = performance(rivals=(rival("1", "previous", 0.05),))


def challenged(value: float) -> PerformanceReport:
    return performance(rivals=(rival("3", "challenger", value),))
