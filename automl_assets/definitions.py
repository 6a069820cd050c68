"""The composition root: every pipeline's `defs.yaml`, the resources, the sensors and the executor."""

import gc
from collections.abc import Sequence
from functools import partial
from typing import Any

import dagster as dg

from automl_assets.component import AutoMLPipeline
from automl_assets.deciding.decide import policy_of
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_all
from automl_assets.platform_file import load_platform
from resources.fit_runner import FitRunner
from resources.gpu_device import GpuDevice
from resources.memory_monitor import MemoryMonitor
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PipelineLock
from resources.platform_database import PlatformDatabase, PlatformRecords
from resources.settings import Settings
from resources.steps import Steps
from resources.table_store import TableStore, ValueIOManager
from sensors import alerts, drift_retraining, late_batches, late_labels, new_batches, run_failures
from sensors.arrivals import fed_of


@dg.definitions
def defs() -> dg.Definitions:
    """What the code location serves: all pipelines of this machine's settings."""
    settings = Settings.from_environment()
    gc.disable()  # nothing of what is made here is garbage, and looking for some takes a tenth of the time
    try:
        return definitions_of(load_all(settings.pipelines), settings)
    finally:
        gc.enable()


def definitions_of(pipelines: Sequence[PipelineConfig], settings: Settings) -> dg.Definitions:
    """The definitions of some pipelines, complete with resources and sensors."""
    components = [AutoMLPipeline(config) for config in pipelines]
    sensors = sensors_of(components, settings) if pipelines else []
    shared = dg.Definitions(resources=resources_of(settings), sensors=sensors, executor=executor_of(settings))
    return dg.Definitions.merge(*(component.build_defs() for component in components), shared)


def sensors_of(components: Sequence[AutoMLPipeline], settings: Settings) -> list[dg.SensorDefinition]:
    """One sensor a kind, each for all pipelines."""
    database = partial(PlatformDatabase.of, settings.home, settings.database_url)
    configs = [component.config for component in components]
    seconds = settings.sensor_seconds
    expected = [
        late_batches.Expected(config.name, config.batches.expected_every_hours)
        for config in configs
        if config.batches.expected_every_hours
    ]
    watched = [drift_retraining.Watched(config.name, policy_of(config.monitoring)) for config in configs]
    fed = [(c, one) for c in components if (one := fed_of(c.config.name, c.config)) is not None]
    arriving = (
        [new_batches.build([one for _, one in fed], [c.score_job for c, _ in fed], database, interval_seconds=seconds)]
        if fed
        else []
    )
    labelled = [
        (c, late_labels.Watched(c.config.name, labels.source, labels.matures_after_days, c.config.batches.kind,
                                c.config.schedule.timezone))
        for c in components
        if (labels := c.config.labels) is not None
    ]  # fmt: skip
    measuring = (
        [late_labels.build([w for _, w in labelled], [c.score_job for c, _ in labelled], database,
                           interval_seconds=seconds)]
        if labelled
        else []
    )  # fmt: skip
    return [
        *arriving,
        *measuring,
        drift_retraining.build(watched, [c.train_job for c in components], database, interval_seconds=seconds),
        alerts.build(load_platform(settings.pipelines).routing(configs), database, interval_seconds=seconds),
        run_failures.build({config.name for config in configs}, database),
        late_batches.build(expected, database),
    ]


def resources_of(settings: Settings) -> dict[str, Any]:
    """The resources, by the name under which assets ask for them."""
    home = str(settings.home)
    return {
        "values": ValueIOManager(home=home),
        "steps": Steps(
            store=TableStore(home=home),
            lock=PipelineLock(home=home, database_url=settings.database_url),
            memory=MemoryMonitor(warning_mb=settings.memory_warning_mb, critical_mb=settings.memory_critical_mb),
            rows_a_batch=settings.batch_rows,
        ),
        "fits": FitRunner(home=home, max_workers=settings.max_workers),
        "gpu": GpuDevice(),
        "records": PlatformRecords(home=home, database_url=settings.database_url),
        "registry": ModelRegistry(home=home, tracking_uri=settings.mlflow_tracking_uri),
    }


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """All steps of a run in its own process by default: a step costs 0.05 s there and 3 s in a process of its own."""
    return dg.multiprocess_executor if settings.executor == "multiprocess" else dg.in_process_executor
