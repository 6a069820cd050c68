"""A tick of every sensor with 500 pipelines of 200 batches each: files, database rows and Dagster's instance are real.

Each pipeline has its own folder of files and its own definitions; 100,000 batches and verdicts, some hundred actions
and messages are in a SQLite database; 100,000 dynamic partitions and a champion a pipeline in Dagster's instance. Ticks
are evaluated in one process, as the code server does; what the daemon does with the requests is not in the figures.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.machine import header, table

if TYPE_CHECKING:
    import dagster as dg

    from automl_assets.core.records import LandedBatch
    from resources.platform_database import PlatformDatabase

PIPELINES, BATCHES = 500, 200
ACTIVE = 20
ACTIONS, PENDING, MESSAGES, FAILURES = 300, 5, 200, 50
TICKS = 7
LIMIT_SECONDS = 1.0
DEFS = """type: automl_assets.AutoMLPipeline
attributes:
  name: {name}
  source: {{type: csv, path: {folder}}}
  target: y
  batches: {{kind: files, glob: "*.csv", expected_every_hours: 24}}
"""
SENSORS = ("new_batches", "drift_retraining", "alerts", "run_failures", "late_batches")


def main() -> None:
    """Print a row a sensor and situation."""
    import dagster as dg

    pipelines, batches = (PIPELINES, BATCHES) if len(sys.argv) < 3 else (int(sys.argv[1]), int(sys.argv[2]))
    header(f"A tick with {pipelines} pipelines × {batches} batches", "sensor_ticks", " ".join(sys.argv[1:]))
    with tempfile.TemporaryDirectory(prefix="automl-benchmark-") as scratch:
        storage = Path(scratch) / "dagster"
        storage.mkdir()
        with dg.DagsterInstance.local_temp(str(storage)) as instance:
            begun = time.monotonic()
            large = Large(Path(scratch), instance, pipelines, batches)
            print(f"made in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            rows = [row for sensor in SENSORS for row in large.measured(sensor)]
    table(["sensor", "tick", "ticks", "median s", f"worst s (limit {LIMIT_SECONDS:g})", "median CPU s", "says"], rows)


@dataclass(frozen=True)
class Ticked:
    """One tick: how long it took, what it said, and the next one's cursor."""

    seconds: float
    cpu_seconds: float
    told: str
    cursor: str | None


class Large:
    """The large installation, and the sensors on it."""

    def __init__(self, root: Path, instance: "dg.DagsterInstance", pipelines: int, batches: int):
        from automl_assets.definitions import definitions_of
        from automl_assets.pipeline_files import load_all
        from resources.platform_database import PlatformDatabase
        from resources.settings import Settings

        self.root, self.instance, self.batches = root, instance, batches
        self.names = [f"pipeline_{i:03d}" for i in range(pipelines)]
        for name in self.names:
            self._write_files(name)
        home = root / "home"
        settings = Settings.from_environment({"AUTOML_HOME": str(home)}, folder=root)
        settings.prepare_home()
        self.database = PlatformDatabase.of(settings.home, settings.database_url)
        fill_database(self.database, self.names, self._lying())
        fill_instance(instance, self.names, batches)
        self.definitions = definitions_of(load_all([root / "pipelines"]), settings)
        self.repository = self.definitions.get_repository_def()

    def _write_files(self, name: str) -> None:
        folder, defs = self.root / name, self.root / "pipelines" / name
        folder.mkdir()
        defs.mkdir(parents=True)
        (defs / "defs.yaml").write_text(DEFS.format(name=name, folder=folder))
        for batch in range(self.batches):
            (folder / f"batch_{batch:03d}.csv").write_text(f"x,y\n{name},{batch}\n")

    def _lying(self) -> "Iterator[LandedBatch]":
        """The files as they were written down when they landed."""
        from automl_assets.core.records import LandedBatch
        from automl_assets.ingestion.landing import files_in, hash_file

        for name in self.names:
            for file in sorted(files_in(self.root / name, "*.csv")):
                digest = hash_file(self.root / name, file)
                yield LandedBatch(name, file.key, digest or "", size=file.size, mtime_ns=file.mtime_ns)

    def measured(self, sensor: str) -> list[list[object]]:
        """The first tick, then those that follow.

        For new files also those when all has been requested: without news, files are seen, they are requested.
        """
        first = self.tick(sensor, None)
        if sensor == "run_failures":
            self._fail()
        following = [first]
        for _ in range(TICKS):
            following.append(self.tick(sensor, following[-1].cursor))
        rows = [_row(sensor, "the first, without a cursor", [first]), _row(sensor, "the following", following[1:])]
        if sensor != "new_batches":
            return rows
        following = [self.tick(sensor, self._all_requested())]
        for _ in range(TICKS):
            following.append(self.tick(sensor, following[-1].cursor))
        rows.append(_row(sensor, "all have been requested", following))
        for name in self.names[:ACTIVE]:
            shutil.copy(self.root / name / "batch_000.csv", self.root / name / "batch_new.csv")
            with (self.root / name / "batch_new.csv").open("a") as file:
                file.write("1,1\n")
        seen = self.tick(sensor, following[-1].cursor)
        wanted = self.tick(sensor, seen.cursor)
        return [*rows, _row(sensor, f"{ACTIVE} files land", [seen]), _row(sensor, "they are requested", [wanted])]

    def _all_requested(self) -> str:
        """The cursor of a platform that has asked for every batch that lies there."""
        from automl_assets.ingestion.landing import files_in, listing_digest
        from resources.records.batches import Batches
        from sensors.arrivals import Cursor, Progress

        newest = Batches(self.database).newest(self.names)
        listings = {name: listing_digest(files_in(self.root / name, "*.csv")) for name in self.names}
        return Cursor({name: Progress(listings[name], newest[name].sequence) for name in self.names}).text()

    def tick(self, sensor: str, cursor: str | None) -> Ticked:
        """One evaluation."""
        import dagster as dg

        definition = self.definitions.resolve_sensor_def(sensor)
        with dg.SensorEvaluationContext(  # as the code server makes it, which opens the instance at each tick
            instance_ref=self.instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=cursor,
            repository_name=None,
            repository_def=self.repository,
            sensor_name=sensor,
        ) as context:
            begun, worked = time.perf_counter(), time.process_time()
            result: Any = definition.evaluate_tick(context)
            seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
        told = f"{len(result.run_requests)} requests" if result.run_requests else result.skip_message or ""
        return Ticked(seconds, cpu, told, result.cursor)

    def _fail(self) -> None:
        """Runs that fail between two looks."""
        import dagster as dg
        from dagster._core.test_utils import create_run_for_test

        from resources.pipeline_lock import PIPELINE_TAG

        for name in self.names[:FAILURES]:
            run = create_run_for_test(
                self.instance, job_name=f"{name}_score", tags={PIPELINE_TAG: name}, status=dg.DagsterRunStatus.STARTED
            )
            self.instance.report_run_failed(run)


def _row(sensor: str, tick: str, ticks: Sequence[Ticked]) -> list[object]:
    seconds = [one.seconds for one in ticks]
    over = " (over)" if max(seconds) > LIMIT_SECONDS else ""
    cpu = f"{median(one.cpu_seconds for one in ticks):.2f}"
    worst = f"{max(seconds):.2f}{over}"
    told = ticks[-1].told[:60].replace("|", "/")
    return [sensor, tick, len(ticks), f"{median(seconds):.2f}", worst, cpu, told]


def fill_database(database: "PlatformDatabase", names: Sequence[str], landed: "Iterator[LandedBatch]") -> None:
    """The batches, a verdict on each, finished and pending retrains, and messages that were sent."""
    from automl_assets.core.records import Action, Notice, now
    from resources.records.actions import Actions
    from resources.records.batches import Batches
    from resources.records.notices import Notices
    from resources.records.tables import table as records_table
    from resources.records.verdicts import _row as verdict_row

    rows = Batches(database).land(list(landed))
    verdicts = [verdict_row(_verdict_of(row)) for row in rows]
    with database.connection() as connection:
        connection.execute(records_table("verdict").insert(), verdicts)
    actions = Actions(database)
    for i in range(ACTIONS):
        name = names[i % len(names)]
        state = "pending" if i < PENDING else "done"
        payload = {"batch": "batch_199.csv", "champion": "1"}
        before = now() - timedelta(hours=i)
        actions.add(Action(name, "retrain", f"retrain-{i}", "drifted", state, payload=payload, at=before))
    notices = Notices(database)
    for i in range(MESSAGES):
        notices.add(Notice(names[i % len(names)], "info", "A batch differs", "x: drifted", f"alert-{i}"))


def _verdict_of(row: "LandedBatch") -> Any:
    from automl_assets.core.evidence import Cause, Verdict
    from automl_assets.core.records import VerdictRow

    causes = tuple(Cause(feature=f"x{i}", aspect="distribution", weight=0.2, reason="drifted") for i in range(3))
    verdict = Verdict(
        pipeline=row.pipeline,
        batch=row.key,
        sequence=row.sequence,
        champion="1",
        finding=f"{row.pipeline}-{row.key}",
        action="alert",
        severity="info",
        reasons=("x0: drifted (ks 0.15, q 1e-9)", "x1: drifted (ks 0.12, q 1e-7)"),
        causes=causes,
    )
    return VerdictRow(verdict, row.at)


def fill_instance(instance: "dg.DagsterInstance", names: Sequence[str], batches: int) -> None:
    """Each pipeline's partitions and champion; for those whose files land, the predictions of every batch too."""
    import dagster as dg

    keys = [f"batch_{batch:03d}.csv" for batch in range(batches)]
    report: Callable[[dg.AssetMaterialization], None] = instance.report_runless_asset_event
    for position, name in enumerate(names):
        instance.add_dynamic_partitions(f"{name}_batches", keys)
        report(dg.AssetMaterialization([name, "champion"]))
        for key in keys if position < ACTIVE else ():
            report(dg.AssetMaterialization([name, "predictions"], partition=key))


if __name__ == "__main__":
    main()
