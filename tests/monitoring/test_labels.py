from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.evidence import LabelMatch
from automl_assets.core.values import HoldoutRule
from automl_assets.ingestion.labels import MatchedLabels
from automl_assets.learn.split import in_holdout, label_texts
from automl_assets.monitoring.labels import judged_rows, target_column
from automl_assets.training.model import ModelCard
from tests.training.small_models import Small, raw_table

WINDOW = "the training batch"


def late(values: list[Any]) -> MatchedLabels:
    return MatchedLabels(pa.array(values), LabelMatch(matched=0, waiting=0), "")


def test_the_batchs_own_target_is_read(binary: Small) -> None:
    raw = raw_table("binary", rows=50, seed=5)
    card = ModelCard.read(binary.folder)

    known = judged_rows(ds.dataset(raw), "new", card)

    assert known.usable.all()
    assert known.unseen.all()
    assert [card.classes[code] for code in known.y] == raw.column("y").to_pylist()
    assert (known.reason, known.waits) == ("rows that arrived after the champion was trained", "")


def test_labels_that_came_later_are_read_instead_and_unknown_classes_do_not_count(binary: Small) -> None:
    raw = raw_table("binary", rows=5, seed=5).drop_columns(["y"])

    known = judged_rows(
        ds.dataset(raw), "new", ModelCard.read(binary.folder), late(["yes", None, "no", "perhaps", "yes"])
    )

    assert known.usable.tolist() == [True, False, True, False, True]
    assert known.y[known.usable].tolist() == [1, 0, 1]


def test_without_any_labels_no_row_is_usable(binary: Small) -> None:
    raw = raw_table("binary", rows=5).drop_columns(["y"])

    known = judged_rows(ds.dataset(raw), "new", ModelCard.read(binary.folder))

    assert not known.usable.any()
    assert known.unseen.all()


def test_of_a_batch_of_the_window_only_holdout_rows_are_unseen(binary: Small) -> None:
    card = ModelCard.read(binary.folder)
    raw = binary.raw.drop_columns(["y"])

    for dataset, labels in ((binary.raw, None), (raw, late(binary.raw.column("y").to_pylist())), (raw, None)):
        known = judged_rows(ds.dataset(dataset), WINDOW, card, labels)
        np.testing.assert_array_equal(known.unseen, binary.rows["holdout"])
        assert known.reason == "the window's holdout rows"


def test_strata_see_the_labels_that_came_later(binary: Small) -> None:
    rule = HoldoutRule(
        kind="hash", columns=("age", "income", "city", "y"), salt="s", share=0.3, target="y", strata="class",
        cutoffs={"yes": int(0.6 * 2**64)}, default_cutoff=int(0.1 * 2**64),
    )  # fmt: skip
    card = replace(ModelCard.read(binary.folder), holdout=rule)
    raw = binary.raw.drop_columns(["y"])

    known = judged_rows(ds.dataset(raw), WINDOW, card, late(binary.raw.column("y").to_pylist()))

    np.testing.assert_array_equal(known.unseen, in_holdout(ds.dataset(binary.raw), rule))
    assert (known.unseen != in_holdout(ds.dataset(raw), rule)).any()


@pytest.mark.parametrize(
    ("matures_on", "waits"),
    [(None, ""), (datetime(2026, 12, 24, 5, tzinfo=UTC), "labels mature on 2026-12-24")],
)
def test_immature_labels_wait_until_a_date(binary: Small, matures_on: datetime | None, waits: str) -> None:
    raw, card = ds.dataset(raw_table("binary", rows=2)), ModelCard.read(binary.folder)

    assert judged_rows(raw, "new", card, late(["yes", "no"]), matures_on=matures_on).waits == waits
    assert judged_rows(raw, "new", card, None, matures_on=matures_on).waits == ""


@pytest.mark.parametrize(
    ("own", "came", "filled"),
    [
        (None, [1, None], ["1", None]),
        ([1, 2], [None, 3], ["1", "3"]),
        ([1, 2], [None, 2.5], ["1", "2.5"]),
        (["a", "b"], [None, 3], ["a", "3"]),
    ],
)
def test_a_label_that_came_later_goes_before_the_batchs_own(
    own: list[Any] | None, came: list[Any], filled: list[Any]
) -> None:
    columns = {"x": [0, 0]} | ({} if own is None else {"y": own})

    assert label_texts(target_column(ds.dataset(pa.table(columns)), "y", pa.array(came))).tolist() == filled
