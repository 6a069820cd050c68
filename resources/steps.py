"""Running one step: take the lock, reuse what is stored for its fingerprint, else compute, save, and describe."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import dagster as dg

from automl_assets.core.errors import AutoMLError, InputError
from automl_assets.core.memory import BatchSize
from automl_assets.core.progress import Progress, tell, tell_waiting
from automl_assets.core.steps import CheckSpec, SectionedConfig, Step, versions_of
from automl_assets.core.values import CheckOutcome, Finding, TableHandle, Value
from resources.memory_monitor import MIB, MemoryMonitor
from resources.pipeline_lock import PipelineLock
from resources.table_store import WHOLE, TableStore

Result = TypeVar("Result", bound=Value)
Metadata = Mapping[str, Any]
FORCE_TAG = "automl/force"


class Steps(dg.ConfigurableResource):
    """What every asset needs: the store, the lock and the memory."""

    store: TableStore
    lock: PipelineLock
    memory: MemoryMonitor
    rows_a_batch: int = 65_536

    def run(
        self,
        context: dg.AssetExecutionContext,
        config: SectionedConfig,
        step: Step,
        inputs: Mapping[str, Value | Mapping[str, Value]],
        compute: Callable[[], Result],
        describe: Callable[[Result], Metadata],
        *,
        checks: Callable[[Result], Sequence[CheckOutcome]] = lambda _: (),
        check_metadata: Callable[[Result], Metadata] = lambda _: {},
        extra_versions: Callable[[], Mapping[str, str]] = dict,
        final: Callable[[Result], bool] = lambda _: True,
    ) -> dg.MaterializeResult:
        """The step's result as a materialisation.

        Args:
            inputs: the upstream values; their versions enter the fingerprint.
            compute: makes the value; called only when nothing is stored for the fingerprint.
            describe: the value's metadata.
            checks: what the value must fulfil; a blocking check that fails stops what comes next.
            check_metadata: what the checks' records carry, for sensors to read.
            extra_versions: versions of what is no asset: a source's bytes, the registry's alias.
            final: whether a value stands for its fingerprint; a search that was interrupted does not.

        Raises:
            dagster.Failure: the step failed; bad input is not retried.
        """
        batch = context.partition_key if step.of_batch and context.has_partition_key else WHOLE
        begun = time.monotonic()
        tell(Progress(config.name, step.name, "started"))
        try:
            self._hold(context, config.name)
            fingerprint = step.fingerprint(config, {**versions_of(inputs), **extra_versions()})
            forced = context.run.tags.get(FORCE_TAG) == "true"
            stored = None if forced else self.store.find(config.name, step.name, batch, fingerprint)
            value = compute() if stored is None else cast("Result", stored)
            self.store.save(config.name, step.name, batch, value, fingerprint if final(value) else None)
        except AutoMLError as error:
            tell(Progress(config.name, step.name, "failed", str(error), time.monotonic() - begun))
            raise as_failure(error) from error
        seconds = time.monotonic() - begun
        tell(Progress(config.name, step.name, "reused" if stored else "done", "", seconds))
        return dg.MaterializeResult(
            value=value,
            data_version=dg.DataVersion(value.data_version()),
            metadata={
                **describe(value),
                "reused": stored is not None,
                "fingerprint": fingerprint,
                "seconds": round(seconds, 3),
                "rss_mb": round(self.memory.read().resident / MIB, 1),
            },
            check_results=[as_check_result(outcome, check_metadata(value)) for outcome in checks(value)],
        )

    def batch_size(self) -> BatchSize:
        """How many rows to take at a time: the setting, halved again and again while memory is tight."""
        return BatchSize(self.memory.batch_rows(self.rows_a_batch), budget_mb=self.memory.available_mb())

    def _hold(self, context: dg.AssetExecutionContext, pipeline: str) -> None:
        def waiting(who: str) -> None:
            context.log.info(f"Waiting for {who}, which is writing {pipeline}.")
            tell_waiting(pipeline, who)

        self.lock.hold(
            pipeline,
            f"run {context.run.run_id[:8]} of {pipeline}",
            instance=context.instance,
            run_id=context.run.run_id,
            waiting=waiting,
        )


def as_check_result(outcome: CheckOutcome, metadata: Metadata) -> dg.AssetCheckResult:
    """The outcome as Dagster records it: a blocking check fails as an error, another as a warning."""
    severity = dg.AssetCheckSeverity.ERROR if outcome.blocking else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=outcome.name,
        passed=outcome.passed,
        severity=severity,
        description=outcome.description,
        metadata=metadata,
    )


def as_failure(error: AutoMLError) -> dg.Failure:
    """The error as Dagster shows it: one sentence, and what is machine-readable as metadata."""
    metadata = {key: value for key, value in error.as_json().items() if value}
    return dg.Failure(
        description=str(error),
        metadata={**metadata, "exit_code": error.exit_code},
        allow_retries=not isinstance(error, InputError),
    )


def asset_key(config: SectionedConfig, name: str) -> dg.AssetKey:
    """An asset's key: the pipeline, then the asset."""
    return dg.AssetKey([config.name, name])


def partitions_of(config: Any) -> dg.PartitionsDefinition | None:
    """The batches of a pipeline that has some: a partition a file, or a window of time."""
    batches = config.batches
    if batches.kind == "none":
        return None
    if batches.kind == "files":
        return dg.DynamicPartitionsDefinition(name=f"{config.name}_batches")
    start, zone = batches.start.isoformat(), config.schedule.timezone
    if batches.kind == "daily":
        return dg.DailyPartitionsDefinition(start_date=start, timezone=zone)
    if batches.kind == "weekly":
        sunday_is_zero = batches.start.isoweekday() % 7
        return dg.WeeklyPartitionsDefinition(start_date=start, timezone=zone, day_offset=sunday_is_zero)
    return dg.MonthlyPartitionsDefinition(start_date=start, timezone=zone, day_offset=batches.start.day)


def step_asset(
    config: Any,
    step: Step,
    *,
    kinds: set[str],
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey] = (),
    checks: Sequence[CheckSpec] = (),
    pool: str | None = None,
    required: bool = True,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """A decorator that makes a function the asset of a step, with what every asset of a pipeline has in common.

    Args:
        ins: upstream assets whose values the function takes, by parameter.
        deps: upstream assets whose values it does not take.
        required: false where it may give nothing, so that what comes next is skipped.
    """
    key = asset_key(config, step.name)
    return dg.asset(
        key=key,
        ins=dict(ins or {}),
        deps=list(deps),
        group_name=config.name,
        owners=[config.owner] if config.owner else None,
        kinds=kinds,
        code_version=step.code_version,
        io_manager_key="values",
        partitions_def=partitions_of(config) if step.of_batch else None,
        check_specs=[
            dg.AssetCheckSpec(check.name, asset=key, blocking=check.blocking, description=check.description)
            for check in checks
        ],
        pool=pool,
        automation_condition=_condition(config, step),
        output_required=required,
        op_tags={"automl/pipeline": config.name},
    )


def _condition(config: Any, step: Step) -> dg.AutomationCondition | None:
    """When Dagster itself may materialise a batch's step, should someone switch its own automation sensor on.

    The first reads a batch that has not been read; the others follow what they are made from, the champion too.
    """
    if not step.of_batch:
        return None
    if "source" not in step.inputs:
        return dg.AutomationCondition.eager()
    return None if config.batches.kind == "none" else dg.AutomationCondition.on_missing()


def table_metadata(table: TableHandle) -> dict[str, Any]:
    """What Dagster's UI shows of a table: rows, columns, size."""
    columns = [dg.TableColumn(column.name, type=column.type) for column in table.columns]
    return {
        "dagster/row_count": table.rows,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "size_mb": round(table.size_bytes / MIB, 3),
        "digest": table.digest,
    }


def findings_table(findings: Sequence[Finding]) -> dg.MetadataValue:
    """Findings as a small table."""
    rows = [f"| {f.severity} | {f.column or '—'} | {f.code} | {f.count:,} | {f.advice} |" for f in findings[:50]]
    return dg.MetadataValue.md("\n".join(["| | column | finding | cells | advice |", "|-|-|-|-|-|", *rows]))


def neat(value: float, digits: int = 6) -> float:
    """A number with as many significant digits as anyone reads."""
    return float(f"{value:.{digits}g}")


def inputs_of(config: SectionedConfig, *names: str) -> dict[str, dg.AssetIn]:
    """Upstream assets of the same pipeline, by name."""
    return {name: dg.AssetIn(key=asset_key(config, name)) for name in names}


def failure_said(event: dg.DagsterEvent) -> tuple[str, dict[str, Any]]:
    """A failed step's asset, and what the step said of its error; nothing where something unforeseen ended it."""
    asset = (event.step_key or "").partition("__")[2] or str(event.step_key)
    said = event.step_failure_data.user_failure_data
    return asset, {key: value.value for key, value in said.metadata.items()} if said is not None else {}
