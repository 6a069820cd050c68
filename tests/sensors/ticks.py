"""A sensor's tick on a real instance, as the code server evaluates it."""

from typing import Any

import dagster as dg


def tick_of(definitions: dg.Definitions, instance: dg.DagsterInstance, sensor: str, cursor: str | None) -> Any:
    """What one evaluation answers."""
    repository = definitions.get_repository_def()
    with dg.SensorEvaluationContext(
        instance_ref=instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=cursor,
        repository_name=repository.name,
        repository_def=repository,
        sensor_name=sensor,
    ) as context:
        return definitions.resolve_sensor_def(sensor).evaluate_tick(context)
