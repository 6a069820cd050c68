"""`automl backfill`: the batch side of a range of batches, in this process, in order. Monitoring only records it."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from automl_assets.cli.arrivals import receive_files
from automl_assets.cli.edge import emit
from automl_assets.cli.execute import BatchJobs, Executed, cancel_own_runs
from automl_assets.cli.home import locked, open_instance, registry_of
from automl_assets.core.errors import AutoMLError, ConfigError, InputError, SourceError, bounded
from automl_assets.core.memory import read_memory
from automl_assets.ingestion.feed import Feed
from automl_assets.ingestion.keys import natural_order
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_named
from automl_assets.steps import ARRIVAL, BATCH_SIDE
from resources.platform_database import PlatformDatabase
from resources.settings import Settings

BACKFILL_TAG = "automl/backfill"
MIB = 2**20


def keys_between(keys: Sequence[str], first: str, last: str) -> list[str]:
    """The keys from `first` to `last` in natural order, both included; `2024-03` includes ``2024-03.csv``."""
    low, high = natural_order(first), natural_order(last)
    return [key for key in keys if low <= natural_order(key) and (natural_order(key) <= high or key.startswith(last))]


def backfill_command(name: str, first: str, last: str, *, force: bool, as_json: bool) -> int:
    """Backfill and say how it went, a line a batch on stderr; the exit code.

    Raises:
        AutoMLError: it could not be started.
        KeyboardInterrupt: Ctrl-C; the unfinished run was marked as cancelled.
    """
    settings = Settings.from_environment()

    def tell(done: int, of: int, batch: dict[str, Any]) -> None:
        if not as_json:
            reason = f": {batch['reason']}" if batch["reason"] else ""
            print(f"{done}/{of} {batch['key']} {batch['status']}{reason}", file=sys.stderr)

    try:
        config = load_named(name, settings.pipelines)
        document = backfill(config, settings, first, last, force=force, progress=tell)
    except KeyboardInterrupt:
        cancel_own_runs(settings)
        raise
    emit(document, as_json, print_backfill)
    return 0 if document["status"] == "success" else 1


def print_backfill(document: dict[str, Any]) -> None:
    """How many batches ended how."""
    counts = Counter(batch["status"] for batch in document["batches"])
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    scored = "" if document["scored"] else " There is no champion yet, so nothing was scored."
    print(
        f"{document['pipeline']}: {told} in {document['seconds']:.0f} s; monitoring recorded and did not act.{scored}"
    )


def backfill(
    config: PipelineConfig,
    settings: Settings,
    first: str,
    last: str,
    *,
    force: bool = False,
    progress: Callable[[int, int, dict[str, Any]], None] = lambda done, of, batch: None,
) -> dict[str, Any]:
    """Materialise the batch side of a range: ``{pipeline, from, to, status, batches, run_ids, seconds, peak_rss_mb}``.

    A batch is ``{key, status, reason, run_id, seconds}``, its status success, quarantined, empty (a window without
    rows) or failed; none of these stops the others. What is stored for the same inputs is used again unless `force`.

    Args:
        progress: told after each batch how many of how many are done, and how it ended.

    Raises:
        ConfigError: the pipeline has no batches, or none lies in the range.
    """
    if config.batches.kind == "none":
        raise ConfigError(
            f"{config.name} has no batches.", where="backfill", remedy=f"Use `automl run {config.name} --force`."
        )
    begun = time.monotonic()
    with locked(settings, config.name, "backfill"), open_instance(settings) as instance:
        feed = _feed(config, settings)
        keys = _in_range(feed.keys(), first, last, config.name)
        executed = Executed()
        jobs = BatchJobs(config, settings, instance, executed, force=force, tags={BACKFILL_TAG: "true"})
        jobs.add_partitions(keys)
        steps = BATCH_SIDE if registry_of(settings).aliased(config.name) is not None else ARRIVAL
        batches: list[dict[str, Any]] = []
        for number, key in enumerate(keys, start=1):
            batches.append(_one(lambda key=key: jobs.run_batch(key, steps), key, feed, executed))
            progress(number, len(keys), batches[-1])
    failed = any(batch["status"] == "failed" for batch in batches)
    return {
        "pipeline": config.name,
        "from": first,
        "to": last,
        "status": "failed" if failed else "success",
        "scored": steps is BATCH_SIDE,
        "batches": batches,
        "run_ids": executed.run_ids,
        "seconds": round(time.monotonic() - begun, 3),
        "peak_rss_mb": round(read_memory().peak / MIB, 1),
    }


def _feed(config: PipelineConfig, settings: Settings) -> Feed:
    database = PlatformDatabase.of(settings.home, settings.database_url)
    known, _ = receive_files(config, database) if config.batches.kind == "files" else ({}, [])
    return Feed.of(config, known)


def _in_range(keys: Sequence[str], first: str, last: str, name: str) -> list[str]:
    found = keys_between(keys, first, last)
    if not found:
        there = f"There are {bounded(keys, 6)}." if keys else "No batch has landed yet."
        raise ConfigError(f"{name} has no batch from {first} to {last}.", where="backfill", remedy=there)
    return found


def _one(run: Callable[[], None], key: str, feed: Feed, executed: Executed) -> dict[str, Any]:
    """One batch's run and how it ended."""
    begun = time.monotonic()
    status, reason = "success", ""
    before = len(executed.run_ids)
    try:
        if feed.is_empty(key):
            status, reason = "empty", "no row lies in this window"
        else:
            run()
    except SourceError as error:
        status, reason = "failed", str(error)
    except InputError as error:
        status, reason = ("quarantined" if error.code == "check_failed" else "failed"), str(error)
    except AutoMLError as error:
        status, reason = "failed", str(error)
    finally:
        _release_memory()
    run_id = executed.run_ids[-1] if len(executed.run_ids) > before else None
    seconds = round(time.monotonic() - begun, 3)
    return {"key": key, "status": status, "reason": reason, "run_id": run_id, "seconds": seconds}


def _release_memory() -> None:
    """Arrow keeps what was freed; 50 batches would add up."""
    import gc

    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
