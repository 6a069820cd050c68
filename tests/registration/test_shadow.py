from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from automl_assets.learn.runner import Runner
from automl_assets.problems.target import encode_target
from automl_assets.registration.compare import Contender
from automl_assets.registration.rivals import Rival
from automl_assets.registration.shadow import shadow_batch
from automl_assets.registration.unseen import BatchRows
from tests.training.small_models import MEMORY_MB, Small, raw_table


@pytest.mark.parametrize(("digest", "rows"), [("a new batch", 300), ("the training batch", 66)])
def test_a_rival_is_judged_on_the_rows_that_neither_saw(
    binary: Small, runner: Runner, tmp_path: Path, digest: str, rows: int
) -> None:
    raw = raw_table("binary", rows=300, seed=4)
    pq.write_table(raw, tmp_path / "batch.parquet")
    model = binary.load()
    labels = encode_target(raw.column("y"), model.card.classes)
    champion = np.full((300, 2), 0.5)

    found = shadow_batch(
        Rival("1", "previous"), Contender("1", binary.folder, binary.model.digest),
        BatchRows(ds.dataset(raw), (digest,)), [str(tmp_path / "batch.parquet")], labels, champion, model.card, runner,
        batch_rows=100, memory_mb=MEMORY_MB,
    )  # fmt: skip

    assert (found.version, found.role, found.rows, found.scored) == ("1", "previous", rows, 300)
    assert found.gain.low > 0.2
    assert found.disagreement == pytest.approx(float(np.mean(model.predict(raw).argmax(axis=1) != 0)), abs=1e-6)


def test_a_rival_that_needs_other_columns_scores_nothing(binary: Small, runner: Runner, tmp_path: Path) -> None:
    raw = raw_table("binary", rows=30).drop_columns(["income"])
    pq.write_table(raw, tmp_path / "batch.parquet")
    labels = encode_target(raw.column("y"), binary.load().card.classes)

    found = shadow_batch(
        Rival("3", "challenger"), Contender("3", binary.folder, binary.model.digest),
        BatchRows(ds.dataset(raw), ("new",)), [str(tmp_path / "batch.parquet")], labels, np.full((30, 2), 0.5),
        binary.load().card, runner, batch_rows=100, memory_mb=MEMORY_MB,
    )  # fmt: skip

    assert (found.rows, found.scored) == (0, 0)
