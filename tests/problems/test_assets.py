"""`problem` as the asset understands it: the holdout rule is drawn once and kept for later windows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from automl_assets.core.tables import write_table
from automl_assets.core.values import Batch, TrainingWindow
from automl_assets.ingestion.sources.bundled import Bundled
from automl_assets.pipeline import PipelineConfig
from automl_assets.problems.assets import CHECKS, understand
from automl_assets.problems.config import ColumnsConfig, ProblemConfig
from automl_assets.problems.detect import holdout_mask
from resources.table_store import TableStore
from tests.problems.tables import with_target


def config_of(**sections) -> PipelineConfig:
    return PipelineConfig(name="churn", source=Bundled(name="diabetes"), target="y", **sections)


def window_of(store: TableStore, *tables: pa.Table) -> TrainingWindow:
    batches = []
    for position, table in enumerate(tables):
        folder = store.table_folder("churn", "raw_table", str(position))
        handle = write_table(table.to_batches(), table.schema, store.tables_root, folder)
        batches.append(Batch(key=str(position), table=handle))
    return TrainingWindow(batches=tuple(batches), rows=sum(table.num_rows for table in tables))


def june_and_july() -> tuple[pa.Table, pa.Table]:
    june = with_target([0, 1] * 100)
    return june, pa.table({"x": np.random.default_rng(9).normal(size=200), "y": [0, 1] * 100})


def test_a_later_window_keeps_the_rule_so_that_no_judge_becomes_a_teacher(tmp_path: Path) -> None:
    store = TableStore(home=str(tmp_path))
    june, july = june_and_july()
    first = understand(config_of(), window_of(store, june), store)
    second = understand(config_of(), window_of(store, june, july), store)
    assert second.holdout == first.holdout
    assert second.train_rows + second.holdout_rows == 400
    alone, together = (holdout_mask(ds.dataset(t), second) for t in (june, pa.concat_tables([june, july])))
    assert together[:200].tolist() == alone.tolist()
    assert together[200:].mean() > 0.1


def test_other_settings_draw_their_own_rule_and_the_old_one_comes_back_with_the_old_settings(tmp_path: Path) -> None:
    store = TableStore(home=str(tmp_path))
    window = window_of(store, june_and_july()[0])
    first = understand(config_of(), window, store)
    other = understand(config_of(problem=ProblemConfig(holdout_share=0.4)), window, store)
    assert other.holdout_rows > 1.5 * first.holdout_rows
    grouped = understand(config_of(columns=ColumnsConfig(group="x")), window, store)
    assert grouped.holdout.kind == "key"
    assert understand(config_of(), window_of(store, *june_and_july()), store).holdout == first.holdout


def test_every_check_that_the_asset_announces_is_answered(tmp_path: Path) -> None:
    store = TableStore(home=str(tmp_path))
    problem = understand(config_of(), window_of(store, june_and_july()[0]), store)
    announced = {check.name: check.blocking for check in CHECKS}
    assert {check.name: check.blocking for check in problem.checks} == announced
