from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from automl_assets.core.values import CleaningPlan, HoldoutRule
from automl_assets.learn.split import in_holdout
from automl_assets.registration import unseen
from automl_assets.registration.unseen import BatchRows, groups_of, unseen_by, unseen_rows
from automl_assets.training.calibrate import Calibration
from automl_assets.training.model import ModelCard

RULE = HoldoutRule(kind="key", columns=("id",), salt="s", share=0.5, target="y", default_cutoff=int(0.5 * 2**64))
LATER = HoldoutRule(kind="time", columns=("day",), salt="s", share=0.5, target="y", newest_from="2024-03-01")


def rows(count: int = 40, first: int = 0) -> pa.Table:
    ids = range(first, first + count)
    return pa.table({"id": [f"r{i}" for i in ids], "y": [["a", "b", None][i % 3] for i in ids]})


def a_card(*window: str, rule: HoldoutRule = RULE) -> ModelCard:
    return ModelCard(
        pipeline="p", kind="binary", metric="roc_auc", target="y", classes=("a", "b"), roles={}, columns=(),
        plan=CleaningPlan(), holdout=rule, window=window, members=(), calibration=Calibration("none"),
        residual_quantile=None,
    )  # fmt: skip


def a_batch(*digests: str, replaced: bool = False, first: int = 0) -> BatchRows:
    return BatchRows(ds.dataset(rows(first=first)), digests, replaced)


@pytest.mark.parametrize(
    ("digests", "window", "replaced", "all_of_it"),
    [
        (["new"], ("old",), False, True),
        (["old"], ("old",), False, False),
        (["labelled", "raw"], ("raw",), False, False),
        (["labelled", "raw"], ("labelled",), False, False),
        (["new"], ("old",), True, False),
        (["new"], (), False, True),
    ],
)
def test_a_model_judges_all_rows_of_batches_that_it_never_saw_and_the_holdout_of_others(
    digests: Sequence[str], window: tuple[str, ...], replaced: bool, all_of_it: bool
) -> None:
    dataset = ds.dataset(rows())

    mask = unseen_by(dataset, digests, RULE, window, replaced=replaced)

    held = in_holdout(dataset, RULE)
    assert 0 < held.sum() < 40
    assert mask.tolist() == ([True] * 40 if all_of_it else held.tolist())


def test_without_the_column_of_time_no_row_is_known_to_be_unseen() -> None:
    assert not unseen_by(ds.dataset(rows()), ["old"], LATER, ("old",)).any()


def test_only_labelled_rows_that_neither_saw_are_shared() -> None:
    other = RULE.model_copy(update={"salt": "another"})
    batches = [a_batch("b1"), a_batch("b2", first=40), a_batch("b3", first=80)]

    found = unseen_rows(batches, [a_card("b1", "b2"), a_card("b2", rule=other)], ("a", "b"))

    assert found is not None
    shared, y = found
    first, second = (in_holdout(ds.dataset(rows(first=start)), RULE) for start in (0, 40))
    second &= in_holdout(ds.dataset(rows(first=40)), other)
    expected = [
        (f"r{i}", i % 3)
        for i in range(120)
        if i % 3 < 2 and (i >= 80 or (i < 40 and first[i]) or (40 <= i < 80 and second[i - 40]))
    ]
    assert list(zip(shared.column("id").to_pylist(), y.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [BatchRows(ds.dataset(rows().drop_columns(["y"])), ("new",))],
        [BatchRows(ds.dataset(pa.table({"id": ["r1"], "y": ["c"]})), ("new",))],
    ],
    ids=["no batch", "no target", "no known class"],
)
def test_without_such_rows_there_is_nothing(batches: list[BatchRows]) -> None:
    assert unseen_rows(batches, [a_card(), a_card()], ("a", "b")) is None


def test_many_rows_are_sampled_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unseen, "MOST_ROWS", 10)

    drawn = [unseen_rows([a_batch("b1"), a_batch("b2", first=40)], [a_card()], ("a", "b"), seed=1) for _ in range(2)]

    assert drawn[0] is not None
    assert drawn[1] is not None
    assert drawn[0][0].num_rows == 10
    assert drawn[0][0].equals(drawn[1][0])
    assert set(np.unique(drawn[0][1])) <= {0, 1}


def test_groups_are_named_but_for_private_columns() -> None:
    table = pa.table({"sex": ["F", None, "M"], "born": [1980.0, 1999.0, 1980.0], "x": [1, 2, 3]})

    found = groups_of(table, ["sex", "born", "gone"], ["born"])

    assert {name: labels.tolist() for name, labels in found.items()} == {
        "sex": ["F", "(missing)", "M"],
        "born": ["group 1", "group 2", "group 1"],
    }
