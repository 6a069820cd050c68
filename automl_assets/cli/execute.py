"""Running what is stale of a pipeline in this process, in the persistent Dagster instance."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from automl_assets.cli.arrivals import receive_files
from automl_assets.cli.home import locked, open_instance, registry_of
from automl_assets.core.errors import AutoMLError, InputError, JobError, SourceError, bounded, unknown_name
from automl_assets.core.steps import Step
from automl_assets.definitions import definitions_of
from automl_assets.ingestion.assets import labels_versions
from automl_assets.ingestion.feed import Feed
from automl_assets.ingestion.window import answers_about
from automl_assets.pipeline import PipelineConfig
from automl_assets.staleness import WHOLE, Stale, find_stale
from automl_assets.steps import ALL, ARRIVAL, MODEL_SIDE, SCORING
from resources.fit_runner import shared_runner
from resources.locks import Holder
from resources.pipeline_lock import PIPELINE_TAG, PROCESS_TAG
from resources.platform_database import PlatformDatabase, PlatformRecords
from resources.records.quarantine import Quarantine
from resources.settings import Settings
from resources.steps import FORCE_TAG, asset_key, failure_said, partitions_of
from resources.table_store import TableStore

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Executed:
    """The runs that were needed: none when everything was up to date.

    unread: batches that could not be read, with the reason; they are tried again. told: what people should know of
    files that are no batch yet and of windows without rows.
    """

    run_ids: list[str] = field(default_factory=list)
    quarantined: dict[str, Sequence[str]] = field(default_factory=dict)
    unread: dict[str, InputError] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


class PipelineRun:
    """One `automl run`: missing batches, then training, then scoring, each a Dagster run of this process."""

    def __init__(self, config: PipelineConfig, settings: Settings, *, until: str | None = None, force: bool = False):
        if until is not None and until not in {step.name for step in ALL}:
            raise unknown_name("asset", until, (step.name for step in ALL), where="--until")
        self.config = config
        self.settings = settings
        self.store = TableStore(home=str(settings.home))
        self.registry = registry_of(settings)
        self.database = PlatformDatabase.of(settings.home, settings.database_url)
        self.feed = Feed.of(config)
        self._until = until
        self._force = force
        self.executed = Executed()

    def execute(self) -> Executed:
        """Run what is stale.

        Raises:
            AutoMLError: a step failed; what was finished before stays.
        """
        with locked(self.settings, self.config.name, "run"):
            return self._execute()

    def _execute(self) -> Executed:
        batches = self._batches()
        stale = self._stale(batches)
        if stale.nothing() and not self._force:
            return self.executed
        shared_runner(self.settings.home / "logs" / "fits.log")  # it imports what the fits need meanwhile
        with open_instance(self.settings) as instance:
            jobs = BatchJobs(self.config, self.settings, instance, self.executed, force=self._force)
            jobs.add_partitions(batches)
            for batch in batches:
                if stale.arrival[batch] or self._force:
                    self._receive(jobs, batch)
            batches = self._read_of(batches)
            self._watch(jobs, [batch for batch in batches if stale.arrival[batch]])
            if (stale.model or any(stale.arrival.values()) or self._force) and self._wanted(MODEL_SIDE):
                jobs.train(self._wanted(MODEL_SIDE))
            after = self._stale(batches)
            self.executed.quarantined = dict(after.quarantined)
            for batch in (batch for batch in batches if batch not in after.quarantined):
                if (after.scoring[batch] or self._force) and self._wanted(SCORING):
                    jobs.run_batch(batch, self._wanted(SCORING))
        return self.executed

    def _stale(self, batches: Sequence[str]) -> Stale:
        quarantine = Quarantine(self.database).of(self.config.name) if self.config.batches.kind != "none" else []
        digests = {batch: self.feed.digest(batch) for batch in batches} if quarantine else {}
        records = PlatformRecords(home=str(self.settings.home), database_url=self.settings.database_url)
        accepted = {row.batch: row.actor for row in reversed(quarantine) if row.answer == "accepted"}
        answers = answers_about(digests, quarantine)
        versions = labels_versions(self.config, batches, records)
        return find_stale(
            self.config,
            self.store,
            batches,
            self._alias_version,
            version=lambda batch: self.feed.version(
                batch, accepted[batch] if answers.get(batch) == "accepted" else None
            ),
            answers=answers,
            labels=versions.__getitem__,
        )

    def _batches(self) -> list[str]:
        """The batches there are; new files are recognised and written down first."""
        if self.config.batches.kind == "files":
            known, told = receive_files(self.config, self.database)
            self.feed = self.feed.knowing(known)
            self.executed.told += told
        batches = self.feed.keys()
        empty = [batch for batch in batches if self.feed.is_empty(batch)]
        if empty:
            self.executed.told.append(f"no row lies in {bounded(empty, 5)}")
        found = [batch for batch in batches if batch not in set(empty)]
        if not found:
            raise SourceError(
                "No batch has landed yet." if not self.executed.told else f"No batch: {'; '.join(self.executed.told)}.",
                where=self.config.name,
                remedy="Check source.path, batches.glob and batches.marker."
                if self.config.batches.kind == "files"
                else "Check batches.start and batches.time_column.",
            )
        return found

    def _receive(self, jobs: "BatchJobs", batch: str) -> None:
        """Read a batch. One of many that fails its checks, or can't be read, is put aside; the others go on."""
        try:
            jobs.run_batch(batch, self._wanted(ARRIVAL))
        except InputError as error:
            if self.config.batches.kind == "none":
                raise
            if error.code != "check_failed":
                self.executed.unread[batch] = error

    def _watch(self, jobs: "BatchJobs", arrived: Sequence[str]) -> None:
        """Let the champion judge what arrived before anything is trained on it: what it puts aside stays out."""
        if self.config.batches.kind == "none" or not self._wanted(SCORING) or self._alias_version() is None:
            return
        quarantined = self._stale(arrived).quarantined
        for batch in (batch for batch in arrived if batch not in quarantined):
            jobs.run_batch(batch, self._wanted(SCORING))

    def _read_of(self, batches: Sequence[str]) -> list[str]:
        """The batches that could be read.

        Raises:
            InputError: none could; the first one's reason.
        """
        unread = self.executed.unread
        self.executed.told += [f"batch {batch} could not be read: {error}" for batch, error in unread.items()]
        if len(unread) == len(batches):
            raise next(iter(unread.values()))
        return [batch for batch in batches if batch not in unread]

    def _wanted(self, steps: Sequence[Step]) -> list[Step]:
        """The steps up to the one that --until names."""
        if self._until is None:
            return list(steps)
        order = [step.name for step in ALL]
        return [step for step in steps if order.index(step.name) <= order.index(self._until)]

    def _alias_version(self) -> str | None:
        info = self.registry.aliased(self.config.name)
        return info.version if info else None


class BatchJobs:
    """Executes the two jobs of a pipeline in this process."""

    def __init__(
        self,
        config: PipelineConfig,
        settings: Settings,
        instance: dg.DagsterInstance,
        executed: Executed,
        *,
        force: bool,
        tags: Mapping[str, str] | None = None,
    ):
        self._config = config
        self._instance = instance
        self._executed = executed
        self._tags = {
            PIPELINE_TAG: config.name,
            PROCESS_TAG: Holder.this_process(f"automl run {config.name}").to_text(),
            "automl/actor": settings.actor,
            **({FORCE_TAG: "true"} if force else {}),
            **(tags or {}),
        }
        self._definitions = definitions_of([config], settings)

    def add_partitions(self, batches: Sequence[str]) -> None:
        """Make the landed batches known to Dagster."""
        partitions = partitions_of(self._config)
        if isinstance(partitions, dg.DynamicPartitionsDefinition) and partitions.name is not None:
            self._instance.add_dynamic_partitions(partitions.name, list(batches))

    def run_batch(self, batch: str, steps: Sequence[Step]) -> None:
        """Materialise steps of one batch."""
        key = None if batch == WHOLE and self._config.batches.kind == "none" else batch
        self._execute(f"{self._config.name}_score", steps, key)

    def train(self, steps: Sequence[Step]) -> None:
        """Materialise steps of the model side."""
        self._execute(f"{self._config.name}_train", steps, None)

    def _execute(self, job: str, steps: Sequence[Step], partition: str | None) -> None:
        if not steps:
            return
        result = self._definitions.resolve_job_def(job).execute_in_process(
            instance=self._instance,
            asset_selection=[asset_key(self._config, step.name) for step in steps],
            partition_key=partition,
            tags=self._tags,
            run_config=QUIET,
            raise_on_error=False,
        )
        self._executed.run_ids.append(result.run_id)
        if not result.success:
            raise failure_of(result.all_events, result.run_id)


def failure_of(events: Sequence[dg.DagsterEvent], run_id: str) -> AutoMLError:
    """The first failed step's error, as it was raised or as the check that failed."""
    failed_checks: list[str] = []
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation: Any = event.event_specific_data
            if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
                failed_checks.append(f"{evaluation.check_name}: {evaluation.description}")
        if event.event_type_value == "STEP_FAILURE":
            return _step_failure(event, failed_checks, run_id)
    causes = [str(event.message) for event in events if event.is_failure and event.message]
    return JobError(
        f"The run did not succeed. {causes[0][:300] if causes else ''}".strip(),
        where=f"run {run_id[:8]}",
        remedy="The traceback stands in its log: `automl ui`.",
    )


def _step_failure(event: dg.DagsterEvent, failed_checks: list[str], run_id: str) -> AutoMLError:
    asset, metadata = failure_said(event)
    data = event.step_failure_data
    if data.user_failure_data is not None:
        kind = InputError if metadata.get("exit_code") == InputError.exit_code else JobError
        return kind(
            str(metadata.get("message", data.user_failure_data.description)),
            where=_text(metadata.get("where")),
            remedy=_text(metadata.get("remedy")),
            code=_text(metadata.get("code")),
        )
    if data.error is not None and data.error.cls_name == "DagsterAssetCheckFailedError":
        return InputError(
            f"A check stopped the run. {' '.join(failed_checks)}", where=asset, code="check_failed", remedy=None
        )
    told = data.error.to_string().strip().splitlines() if data.error is not None else ["unknown"]
    cause = data.error.cause.message.strip() if data.error is not None and data.error.cause else told[0]
    return JobError(
        f"{asset} failed unexpectedly: {cause[:300]}",
        where=f"run {run_id[:8]}",
        remedy="The traceback stands in the run's log: `automl ui`. Please report it.",
        code="unexpected",
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def cancel_own_runs(settings: Settings) -> None:
    """Mark the unfinished runs of this process as cancelled and free their pool slots."""
    me = Holder.this_process("").pid
    with suppress(Exception), open_instance(settings) as instance:  # the process ends either way
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            holder = Holder.from_text(run.tags.get(PROCESS_TAG, ""))
            if holder is not None and holder.pid == me:
                instance.report_run_canceled(run, message="Ctrl-C")
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
