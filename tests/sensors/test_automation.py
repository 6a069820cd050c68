"""The other way to run the batch side: Dagster's own automation sensor, off until someone switches it on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from automl_assets.definitions import definitions_of
from automl_assets.pipeline_files import parse_pipeline
from resources.settings import Settings

TEXT = """type: automl_assets.AutoMLPipeline
attributes:
  name: p
  source: {type: csv, path: t.csv}
  target: y
  batches: {kind: daily, start: 2026-11-01, time_column: t}
"""


@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")
def test_a_window_that_closes_is_read_and_the_model_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y,t\n" + "\n".join(f"{i},{i % 2},2026-11-0{1 + i % 9}" for i in range(90)))
    config = parse_pipeline(TEXT, where="defs.yaml").located(tmp_path)
    definitions = definitions_of([config], Settings.from_environment())
    instance = dg.DagsterInstance.ephemeral()
    noon = datetime(2026, 11, 15, 12, tzinfo=UTC)
    result = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=noon)
    for days in (1, 2):
        later = noon + timedelta(days=days)
        result = dg.evaluate_automation_conditions(definitions, instance, cursor=result.cursor, evaluation_time=later)
        if result.total_requested:
            break
    requested = {
        key.path[-1]: result.get_requested_partitions(key)
        for key in (dg.AssetKey(["p", name]) for name in ("raw_table", "quality_report", "tuning_study"))
    }
    window = {f"2026-11-{14 + days}"}
    assert requested == {"raw_table": window, "quality_report": window, "tuning_study": set()}
