"""Finds batches that are complete and requests the scoring of each, once, in order: one sensor for all pipelines."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from automl_assets.core.records import LandedBatch
from automl_assets.registration.steps import CHAMPION
from automl_assets.serving.steps import PREDICTIONS
from automl_assets.steps import ARRIVAL
from resources.platform_database import PlatformDatabase
from resources.records.batches import Batches
from sensors.arrivals import Cursor, Fed, Folder, Tick, Wanted
from sensors.requests import batch_tags

INTERVAL_SECONDS = 30


def build(
    fed: Sequence[Fed],
    jobs: Sequence[Any],
    database: Callable[[], PlatformDatabase],
    *,
    interval_seconds: int = INTERVAL_SECONDS,
) -> dg.SensorDefinition:
    """One sensor for all pipelines; `jobs` are their `<name>_score`."""

    @dg.sensor(
        name="new_batches",
        jobs=list(jobs),
        minimum_interval_seconds=interval_seconds,
        description="Requests the scoring of each file that landed and each window that closed, once, in order.",
    )
    def new_batches(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tick = Tick(fed, Cursor.of(context.cursor), Batches(database()), datetime.now(UTC))
        tick.look()
        wanted = tick.take(lambda pipeline, keys: already_scored(context.instance, pipeline, keys))
        cursor = tick.after.text()
        if not wanted:
            return dg.SensorResult(skip_reason=tick.told(), cursor=cursor)
        with_champion = _with_champion(context.instance, {one.row.pipeline for one in wanted})
        files = {pipeline.name for pipeline in fed if isinstance(pipeline.arrives, Folder)}
        return dg.SensorResult(
            run_requests=[_request(one, one.row.pipeline in with_champion) for one in wanted],
            dynamic_partitions_requests=_partitions(one.row for one in wanted if one.row.pipeline in files),
            cursor=cursor,
        )

    return new_batches


def already_scored(instance: dg.DagsterInstance, pipeline: str, keys: Sequence[str]) -> set[str]:
    """Which batches have predictions, in one query."""
    found = instance.event_log_storage.get_latest_storage_id_by_partition(
        dg.AssetKey([pipeline, PREDICTIONS.name]), dg.DagsterEventType.ASSET_MATERIALIZATION, set(keys)
    )
    return set(found)


def _with_champion(instance: dg.DagsterInstance, pipelines: Collection[str]) -> set[str]:
    """The pipelines that have one, in one query."""
    records = instance.get_asset_records([dg.AssetKey([name, CHAMPION.name]) for name in pipelines])
    return {r.asset_entry.asset_key.path[0] for r in records if r.asset_entry.last_materialization is not None}


def _request(wanted: Wanted, has_champion: bool) -> dg.RunRequest:
    """The scoring of one batch; its reading only, as long as there is no champion to score it."""
    row = wanted.row
    selected = None if has_champion else [dg.AssetKey([row.pipeline, step.name]) for step in ARRIVAL]
    return dg.RunRequest(
        run_key=wanted.run_key,
        job_name=f"{row.pipeline}_score",
        partition_key=row.key,
        asset_selection=selected,
        tags=batch_tags(row, "arrival"),
    )


def _partitions(rows: Iterable[LandedBatch]) -> list[Any]:
    keys: dict[str, list[str]] = {}
    for row in rows:
        keys.setdefault(row.pipeline, []).append(row.key)
    return [dg.DynamicPartitionsDefinition(name=f"{name}_batches").build_add_request(k) for name, k in keys.items()]
