"""A range of batches again: in order, in one process, each a run that monitoring only records."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.cli.backfill import BACKFILL_TAG, backfill, keys_between
from automl_assets.core.errors import ConfigError
from automl_assets.pipeline import PipelineConfig
from resources.settings import Settings
from tests.end_to_end.command import table_text


@pytest.mark.parametrize(
    ("keys", "first", "last", "found"),
    [
        (["2024-01.csv", "2024-02.csv", "2024-03.csv"], "2024-02", "2024-03", ["2024-02.csv", "2024-03.csv"]),
        (["b_2.csv", "b_9.csv", "b_10.csv", "b_11.csv"], "b_9", "b_10", ["b_9.csv", "b_10.csv"]),
        (["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"], "2024-01-31", "2024-02-01",
         ["2024-01-31", "2024-02-01"]),
        (["2024-01-30", "2024-01-31", "2024-02-01"], "2024-01", "2024-01", ["2024-01-30", "2024-01-31"]),
        (["a", "b", "c"], "b", "b", ["b"]),
        (["a", "b"], "c", "d", []),
    ],
)  # fmt: skip
def test_a_range_includes_both_ends(keys: list[str], first: str, last: str, found: list[str]) -> None:
    assert keys_between(keys, first, last) == found


def pipeline(folder: Path, **batches: Any) -> PipelineConfig:
    document = {"name": "landed", "source": {"type": "csv", "path": "landing"}, "target": "y", "batches": batches}
    return PipelineConfig.model_validate(document).located(folder)


def test_a_backfill_reads_the_range_in_order_and_a_bad_batch_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment()
    (tmp_path / "landing").mkdir()
    for number in range(1, 4):
        text = table_text(40, seed=number)
        if number == 2:
            text = "\n".join([text.splitlines()[0], *(f"many,{line}" for line in text.splitlines()[1:])])
        (tmp_path / "landing" / f"b_{number}.csv").write_text(text)
    (tmp_path / "landing" / "b_4.csv").write_text("x,z\n")
    told: list[tuple[int, int, str]] = []
    done = backfill(
        pipeline(tmp_path, kind="files"),
        settings,
        "b_1",
        "b_4",
        progress=lambda number, of, batch: told.append((number, of, batch["status"])),
    )
    assert told == [(1, 4, "success"), (2, 4, "failed"), (3, 4, "success"), (4, 4, "failed")]
    assert [batch["key"] for batch in done["batches"]] == [f"b_{number}.csv" for number in range(1, 5)]
    assert (done["status"], done["scored"], len(done["run_ids"])) == ("failed", False, 4)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        runs = instance.get_runs()
        assert all(run.tags[BACKFILL_TAG] == "true" for run in runs)
        order = [run.tags["dagster/partition"] for run in reversed(runs)]
        assert order == [f"b_{number}.csv" for number in range(1, 5)]
    with pytest.raises(ConfigError, match=r"landed has no batch from c to d\. There are b_1\.csv"):
        backfill(pipeline(tmp_path, kind="files"), settings, "c", "d")


def test_windows_of_time_are_backfilled_too_and_an_empty_one_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"2024-01-0{day},{n},{'yes' if n % 2 else 'no'}\n" for day in (1, 2, 4) for n in range(30))
    (tmp_path / "landing").write_text("at,x,y\n" + rows)
    config = pipeline(tmp_path, kind="daily", start="2024-01-01", time_column="at")
    done = backfill(config, Settings.from_environment(), "2024-01-02", "2024-01-04")
    assert [(batch["key"], batch["status"]) for batch in done["batches"]] == [
        ("2024-01-02", "success"),
        ("2024-01-03", "empty"),
        ("2024-01-04", "success"),
    ]
    assert done["status"] == "success"


def test_a_pipeline_without_batches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"landed has no batches\. Use `automl run landed --force`"):
        backfill(pipeline(tmp_path), Settings.from_environment(), "a", "b")
