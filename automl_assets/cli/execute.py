"""Running what is stale of a pipeline in this process, in the persistent Dagster instance."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg

from automl_assets.core.errors import AutoMLError, InputError, JobError, SourceError, unknown_name
from automl_assets.core.progress import tell_waiting
from automl_assets.core.steps import Step
from automl_assets.definitions import definitions_of
from automl_assets.pipeline import PipelineConfig
from automl_assets.staleness import WHOLE, find_stale
from automl_assets.steps import ALL, ARRIVAL, MODEL_SIDE, SCORING
from resources.locks import Holder
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PIPELINE_TAG, PROCESS_TAG, PipelineLock
from resources.settings import Settings
from resources.steps import FORCE_TAG, asset_key, partitions_of
from resources.table_store import TableStore

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Executed:
    """The runs that were needed: none when everything was up to date."""

    run_ids: list[str] = field(default_factory=list)
    quarantined: dict[str, Sequence[str]] = field(default_factory=dict)


class PipelineRun:
    """One `automl run`: missing batches, then training, then scoring, each a Dagster run of this process."""

    def __init__(self, config: PipelineConfig, settings: Settings, *, until: str | None = None, force: bool = False):
        if until is not None and until not in {step.name for step in ALL}:
            raise unknown_name("asset", until, (step.name for step in ALL), where="--until")
        self.config = config
        self.settings = settings
        self.store = TableStore(home=str(settings.home))
        self.registry = ModelRegistry(home=str(settings.home), tracking_uri=settings.mlflow_tracking_uri)
        self._until = until
        self._force = force
        self.executed = Executed()

    def execute(self) -> Executed:
        """Run what is stale.

        Raises:
            AutoMLError: a step failed; what was finished before stays.
        """
        self.settings.prepare_home()
        os.environ["DAGSTER_HOME"] = str(self.settings.dagster_home)
        name = self.config.name
        lock = PipelineLock(home=str(self.settings.home), database_url=self.settings.database_url)
        with lock.holding(name, f"automl run {name}", partial(tell_waiting, name)):
            return self._execute()

    def _execute(self) -> Executed:
        batches = self._batches()
        stale = find_stale(self.config, self.store, batches, self._alias_version)
        if stale.nothing() and not self._force:
            return self.executed
        with dg.DagsterInstance.get() as instance:
            jobs = _Jobs(self.config, self.settings, instance, self.executed, force=self._force)
            jobs.add_partitions(batches)
            for batch in batches:
                if stale.arrival[batch] or self._force:
                    self._receive(jobs, batch)
            if (stale.model or any(stale.arrival.values()) or self._force) and self._wanted(MODEL_SIDE):
                jobs.train(self._wanted(MODEL_SIDE))
            after = find_stale(self.config, self.store, batches, self._alias_version)
            self.executed.quarantined = dict(after.quarantined)
            for batch in (batch for batch in batches if batch not in after.quarantined):
                if (after.scoring[batch] or self._force) and self._wanted(SCORING):
                    jobs.run_batch(batch, self._wanted(SCORING))
        return self.executed

    def _batches(self) -> list[str]:
        if self.config.batches.kind == "none":
            return [WHOLE]
        landed = self.config.source.landed(self.config.batches.glob)
        if not landed:
            raise SourceError("No file has landed yet.", where=self.config.name, remedy="Check source.path and glob.")
        return landed

    def _receive(self, jobs: "_Jobs", batch: str) -> None:
        """Read a batch. One of many that fails its checks is put aside; the others go on."""
        try:
            jobs.run_batch(batch, self._wanted(ARRIVAL))
        except InputError as error:
            if self.config.batches.kind == "none" or error.code != "check_failed":
                raise

    def _wanted(self, steps: Sequence[Step]) -> list[Step]:
        """The steps up to the one that --until names."""
        if self._until is None:
            return list(steps)
        order = [step.name for step in ALL]
        return [step for step in steps if order.index(step.name) <= order.index(self._until)]

    def _alias_version(self) -> str | None:
        info = self.registry.aliased(self.config.name)
        return info.version if info else None


class _Jobs:
    """Executes the two jobs of a pipeline in this process."""

    def __init__(
        self,
        config: PipelineConfig,
        settings: Settings,
        instance: dg.DagsterInstance,
        executed: Executed,
        *,
        force: bool,
    ):
        self._config = config
        self._instance = instance
        self._executed = executed
        self._tags = {
            PIPELINE_TAG: config.name,
            PROCESS_TAG: Holder.this_process(f"automl run {config.name}").to_text(),
            "automl/actor": settings.actor,
            **({FORCE_TAG: "true"} if force else {}),
        }
        self._definitions = definitions_of([config], settings)

    def add_partitions(self, batches: Sequence[str]) -> None:
        """Make the landed batches known to Dagster."""
        partitions = partitions_of(self._config)
        if partitions is not None and partitions.name is not None:
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
    data = event.step_failure_data
    asset = (event.step_key or "").partition("__")[2] or str(event.step_key)
    if data.user_failure_data is not None:
        metadata = {key: value.value for key, value in data.user_failure_data.metadata.items()}
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
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    me = Holder.this_process("").pid
    with suppress(Exception), dg.DagsterInstance.get() as instance:  # the process ends either way
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            holder = Holder.from_text(run.tags.get(PROCESS_TAG, ""))
            if holder is not None and holder.pid == me:
                instance.report_run_canceled(run, message="Ctrl-C")
                instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
