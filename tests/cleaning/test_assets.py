"""`clean_table` as the asset makes it: the training rows after the plan, and none of the holdout's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.cleaning.assets import clean_rows
from automl_assets.cleaning.local import plan_cleaning
from automl_assets.core.memory import BatchSize
from automl_assets.core.tables import write_table
from automl_assets.core.values import Batch, TrainingWindow
from automl_assets.problems.detect import holdout_mask, training_mask
from resources.table_store import TableStore
from tests.problems.tables import understood

ROWS = 200


@dataclass
class FakeSteps:
    """A store, and batches of a size."""

    store: TableStore
    rows: int

    def batch_size(self) -> BatchSize:
        return BatchSize(self.rows, budget_mb=1e6)


def messy_table() -> pa.Table:
    generator = np.random.default_rng(0)
    return pa.table(
        {
            "price": [f" ${i},5{i % 10}0" for i in generator.integers(1, 9, ROWS)],
            "country": ["NL"] * ROWS,
            "x": np.arange(ROWS) + 0.5,
            "y": pa.array([["no", "yes", None][i % 3] for i in range(ROWS)]),
        }
    )


@pytest.mark.parametrize("size", [67, 100_000])
def test_the_clean_table_holds_the_training_rows_alone_at_any_batch_size(size: int, tmp_path: Path) -> None:
    store = TableStore(home=str(tmp_path))
    table = messy_table()
    handle = write_table(table.to_batches(), table.schema, store.tables_root, store.table_folder("churn", "raw_table"))
    window = TrainingWindow(batches=(Batch(key="all", table=handle),), rows=ROWS)
    problem = understood(table, name="churn", columns={"roles": {"country": "categorical"}})
    train = training_mask(ds.dataset(table), problem)
    plan = plan_cleaning(ds.dataset(table), problem.feature_roles(), train=train)
    clean = clean_rows("churn", cast("Any", FakeSteps(store, size)), window, problem, plan)
    cells = store.open([clean.table]).to_table()
    assert clean.dropped_columns == ("country",)
    assert cells.column_names == ["price", "x", "y"]
    assert cells.column("x").to_pylist() == [i + 0.5 for i in np.flatnonzero(train)]
    assert str(cells.schema.field("price").type) == "double"
    assert not set(cells.column("x").to_pylist()) & {
        i + 0.5 for i in np.flatnonzero(holdout_mask(ds.dataset(table), problem))
    }
    assert None not in cells.column("y").to_pylist()
    assert clean.table.rows == problem.train_rows
