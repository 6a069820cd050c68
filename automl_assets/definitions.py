"""The composition root: every pipeline's `defs.yaml`, the resources, the sensors and the executor."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from automl_assets.component import AutoMLPipeline
from automl_assets.pipeline import PipelineConfig
from automl_assets.pipeline_files import load_all
from resources.fit_runner import FitRunner
from resources.gpu_device import GpuDevice
from resources.memory_monitor import MemoryMonitor
from resources.model_registry import ModelRegistry
from resources.pipeline_lock import PipelineLock
from resources.platform_database import PlatformRecords
from resources.settings import Settings
from resources.steps import Steps
from resources.table_store import TableStore, ValueIOManager
from sensors import drift_retraining


@dg.definitions
def defs() -> dg.Definitions:
    """What the code location serves: all pipelines of this machine's settings."""
    settings = Settings.from_environment()
    return definitions_of(load_all(settings.pipelines), settings)


def definitions_of(pipelines: Sequence[PipelineConfig], settings: Settings) -> dg.Definitions:
    """The definitions of some pipelines, complete with resources and sensors."""
    watched = [
        drift_retraining.Watched(
            name=config.name,
            auto_retrain=config.monitoring.auto_retrain,
            max_retrains_per_day=config.monitoring.max_retrains_per_day,
            cooldown_hours=config.monitoring.cooldown_hours,
        )
        for config in pipelines
    ]
    components = [AutoMLPipeline(config) for config in pipelines]
    sensors = [drift_retraining.build(watched, [c.train_job for c in components])] if pipelines else []
    shared = dg.Definitions(resources=resources_of(settings), sensors=sensors, executor=executor_of(settings))
    return dg.Definitions.merge(*(component.build_defs() for component in components), shared)


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
