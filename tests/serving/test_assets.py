"""The glue around a sink: what it wrote is told, and what it did not take is tried again."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.core.tables import write_table
from automl_assets.core.values import Predictions
from automl_assets.pipeline import PipelineConfig
from automl_assets.serving.assets import deliver
from resources.memory_monitor import MemoryMonitor
from resources.pipeline_lock import PipelineLock
from resources.steps import Steps
from resources.table_store import TableStore
from tests.serving.sinks.predictions import predictions

FINGERPRINT = "f" * 32


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    home = str(tmp_path / "home")
    return Steps(store=TableStore(home=home), lock=PipelineLock(home=home), memory=MemoryMonitor())


def pipeline(sink: dict | None) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {"name": "churn", "source": {"type": "csv", "path": "x.csv"}, "target": "y", "predictions": {"sink": sink}}
    )


def scored(steps: Steps, table: pa.Table) -> dg.MaterializeResult:
    """What `Steps.run` hands on where a sink is still to be written: the value, stored as provisional."""
    store = steps.store
    handle = write_table(table.to_batches(), table.schema, store.tables_root, "churn/predictions/monday")
    value = Predictions(pipeline="churn", model_version="1", batch="monday", table=handle)
    store.save("churn", "predictions", "monday", value, None)
    return dg.MaterializeResult(
        value=value, metadata={"fingerprint": FINGERPRINT, "reused": False}, data_version=dg.DataVersion("v")
    )


def is_done(steps: Steps) -> bool:
    return steps.store.find("churn", "predictions", "monday", FINGERPRINT) is not None


def test_without_a_sink_nothing_changes(steps: Steps) -> None:
    result = scored(steps, predictions())

    assert deliver(pipeline(None), steps, result) is result


def test_what_a_sink_took_is_told_and_done(steps: Steps, tmp_path: Path) -> None:
    result = scored(steps, predictions())

    told = deliver(pipeline({"type": "parquet", "path": str(tmp_path / "out")}), steps, result)

    file = tmp_path / "out" / "churn" / "monday.parquet"
    assert pq.read_table(file).equals(predictions())
    assert told.metadata == {"fingerprint": FINGERPRINT, "reused": False, "sink": str(file), "sink_rows": 3}
    assert (told.value, told.data_version) == (result.value, result.data_version)
    assert is_done(steps)


def test_a_sink_that_lost_its_file_is_refilled(steps: Steps, tmp_path: Path) -> None:
    config = pipeline({"type": "csv", "path": str(tmp_path / "out")})
    for _ in range(2):
        deliver(config, steps, scored(steps, predictions()))
        (tmp_path / "out" / "churn" / "monday.csv").unlink()


def test_a_sink_that_fails_fails_the_step_and_the_predictions_stay(steps: Steps, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    result = scored(steps, predictions())

    with pytest.raises(dg.Failure, match="The sink 'csv' can't write its file") as caught:
        deliver(pipeline({"type": "csv", "path": str(tmp_path / "out")}), steps, result)

    assert caught.value.allow_retries
    assert not is_done(steps), "the next run must try again"
    assert steps.store.latest("churn", "predictions", "monday") == result.value
    assert steps.store.open([result.value.table]).count_rows() == 3
