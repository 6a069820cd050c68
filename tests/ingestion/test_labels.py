import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import SchemaError
from automl_assets.core.evidence import LabelMatch
from automl_assets.core.tables import write_table
from automl_assets.ingestion import labels as module
from automl_assets.ingestion.labels import labelled_schema, labelled_table, labels_digest, match_labels


def dataset(**columns: Any) -> "ds.Dataset":
    return ds.dataset(pa.table(columns))


MONDAY = datetime.datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("rows", "came", "expected", "match"),
    [
        ([1, 2, 3], [(1, "a"), (3, "c")], ["a", None, "c"], LabelMatch(matched=2, waiting=1)),
        ([1, 2], [], [None, None], LabelMatch(matched=0, waiting=2)),
        ([], [(1, "a")], [], LabelMatch(matched=0, waiting=0, unknown=1)),
        ([1, 2], [(1, "a"), (1, "a"), (1, "a")], ["a", None], LabelMatch(matched=1, waiting=1, duplicates=2)),
        ([1, 2], [(1, "a"), (1, "b")], ["b", None], LabelMatch(matched=1, waiting=1, conflicts=1)),
        ([1], [(1, "a"), (1, "b"), (1, "a")], ["a"], LabelMatch(matched=1, waiting=0, conflicts=2)),
        ([1], [(1, "a"), (1, "b"), (1, "b")], ["b"], LabelMatch(matched=1, waiting=0, conflicts=1, duplicates=1)),
        ([1], [(7, "a"), (8, "a"), (1, "c")], ["c"], LabelMatch(matched=1, waiting=0, unknown=2)),
        ([1], [(1, "a"), (1, None), (1, " ")], ["a"], LabelMatch(matched=1, waiting=0)),  # a missing one says nothing
        ([1, 1], [(1, "a")], ["a", "a"], LabelMatch(matched=2, waiting=0)),  # two rows of one key share its label
        ([None, 1], [(None, "a"), (1, "b")], [None, "b"], LabelMatch(matched=1, waiting=1, unknown=1)),
    ],
)
def test_labels_meet_rows(rows: list[Any], came: list[tuple[Any, Any]], expected: list[Any], match: LabelMatch) -> None:
    raw = dataset(id=pa.array(rows, pa.int64()), x=pa.array([1.0] * len(rows)))
    labels = dataset(id=pa.array([k for k, _ in came], pa.int64()), y=pa.array([v for _, v in came], pa.string()))

    found = match_labels(raw, labels, target="y", key=["id"])

    assert found.values.to_pylist() == expected
    assert found.match == match


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (pa.array([7]), pa.array([7.0])),
        (pa.array([7]), pa.array(["7"])),
        (pa.array([7]), pa.array([" 7 "])),
        (pa.array([7.5]), pa.array(["7.5"])),
        (pa.array([7], pa.int8()), pa.array([7], pa.uint64())),
        (pa.array(["a"]).dictionary_encode(), pa.array(["a"])),
        (pa.array([True]), pa.array(["true"])),
        (pa.array([MONDAY]), pa.array(["2024-01-01"])),
        (pa.array([MONDAY]), pa.array(["2024-01-01T00:00:00Z"])),
        (pa.array([MONDAY.date()]), pa.array([MONDAY])),
        (pa.array([MONDAY.replace(hour=5)]), pa.array(["2024-01-01T05:00:00"])),
        (pa.array([MONDAY.replace(hour=5)]), pa.array([MONDAY.replace(hour=5)], pa.timestamp("us", tz="UTC"))),
    ],
)
def test_keys_of_other_types_are_compared_as_text(mine: pa.Array, theirs: pa.Array) -> None:
    found = match_labels(dataset(k=mine), dataset(k=theirs, y=["hit"]), target="y", key=["k"])

    assert found.values.to_pylist() == ["hit"]


@pytest.mark.parametrize(("mine", "theirs"), [(["01"], [1]), (["A"], ["a"]), ([MONDAY], ["2024-01-02"])])
def test_keys_that_differ_as_text_differ(mine: list[Any], theirs: list[Any]) -> None:
    found = match_labels(dataset(k=mine), dataset(k=theirs, y=["hit"]), target="y", key=["k"])

    assert found.match == LabelMatch(matched=0, waiting=1, unknown=1)


def test_several_columns_make_one_key() -> None:
    raw = dataset(customer=["a", "a", "b", "b", "c"], day=[1, 2, 1, None, 1])
    labels = dataset(day=["1", "2", "1"], customer=["b", "a", "zz"], y=[0.5, 1.5, 9.0])

    found = match_labels(raw, labels, target="y", key=["customer", "day"])

    assert found.values.to_pylist() == [None, 1.5, 0.5, None, None]
    assert found.match == LabelMatch(matched=2, waiting=3, unknown=1)


def test_a_row_is_known_by_every_prediction_that_was_made_of_it() -> None:
    raw = dataset(x=[1.0, 2.0, 3.0])
    newer, older = dataset(prediction_id=["n1", "n2", "n3"]), dataset(prediction_id=["o1", "o2", "o3"])
    labels = dataset(prediction_id=["o2", "n1", "o1", "??"], y=[20, 10, 11, 0])

    found = match_labels(raw, labels, target="y", predictions=[newer, older])

    assert found.values.to_pylist() == [10, 20, None]  # of two labels of one row, that of the newest prediction
    assert found.match == LabelMatch(matched=2, waiting=1, unknown=1)


def test_rows_without_predictions_wait() -> None:
    found = match_labels(dataset(x=[1.0, 2.0]), dataset(prediction_id=["a"], y=[1]), target="y")

    assert found.match == LabelMatch(matched=0, waiting=2, unknown=1)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.integers(0, 8), max_size=12),
    came=st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["a", "b", None])), max_size=40),
    size=st.integers(1, 7),
)
def test_pieces_of_any_size_give_what_a_dictionary_gives(
    rows: list[int], came: list[tuple[int, str | None]], size: int
) -> None:
    table = pa.table(
        {"id": pa.array([k for k, _ in came], pa.int64()), "y": pa.array([v for _, v in came], pa.string())}
    )
    expected: dict[int, str] = {}
    counts = {"unknown": 0, "duplicates": 0, "conflicts": 0}
    for key, label in came:
        if label is None:
            continue
        if key not in rows:
            counts["unknown"] += 1
        elif key in expected:
            counts["duplicates" if expected[key] == label else "conflicts"] += 1
        if key in rows:
            expected[key] = label
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            module, "_pieces", lambda labels, columns, least: (table.slice(i, size) for i in range(0, len(came), size))
        )
        found = match_labels(dataset(id=pa.array(rows, pa.int64())), ds.dataset(table), target="y", key=["id"])

    assert found.values.to_pylist() == [expected.get(key) for key in rows]
    matched = sum(key in expected for key in rows)
    assert found.match == LabelMatch(matched=matched, waiting=len(rows) - matched, **counts)


@pytest.mark.parametrize(
    ("raw", "labels", "where", "named"),
    [
        (dataset(x=[1]), dataset(id=[1], y=[1]), "the batch", "id"),
        (dataset(id=[1]), dataset(x=[1], y=[1]), "the labels", "id"),
        (dataset(id=[1]), dataset(id=[1], z=[1]), "the labels", "y"),
        (dataset(id=[[1]]), dataset(id=[1], y=[1]), "id", "list"),
        (dataset(id=[1]), dataset(id=[1], y=[[1]]), "y", "list"),
    ],
)
def test_tables_that_cannot_be_matched_are_refused_with_a_reason(
    raw: "ds.Dataset", labels: "ds.Dataset", where: str, named: str
) -> None:
    with pytest.raises(SchemaError, match=named) as caught:
        match_labels(raw, labels, target="y", key=["id"])
    assert caught.value.where == where
    assert caught.value.remedy


def test_all_missing_labels_are_none_at_all() -> None:
    raw = dataset(id=[1, 2])
    found = match_labels(raw, dataset(id=[1], y=pa.nulls(1)), target="y", key=["id"])

    assert found.match == LabelMatch(matched=0, waiting=2)
    assert next(labelled_table(raw, found.values, "y")).num_rows == 0


def test_the_digest_changes_with_this_batchs_labels_alone() -> None:
    raw = dataset(id=[1, 2])

    def digest(ids: list[int], values: list[Any]) -> str:
        return match_labels(raw, dataset(id=ids, y=values), target="y", key=["id"]).digest

    first = digest([1], [0])
    assert first == digest([1, 99], [0, 1]) == digest([1, 1], [1, 0]) == digest([1], [0.0])
    assert len({first, digest([2], [0]), digest([1], [1]), digest([1, 2], [0, 0])}) == 4
    assert labels_digest(pa.array(["a", None])) != labels_digest(pa.array([None, "a"]))


def test_training_reads_the_labelled_rows_with_their_target(tmp_path: Path) -> None:
    raw = dataset(id=[1, 2, 3], x=[0.1, 0.2, 0.3])
    found = match_labels(raw, dataset(id=[3, 1], y=["yes", "no"]), target="y", key=["id"])

    schema = labelled_schema(raw.schema, found.values.type, "y")
    handle = write_table(labelled_table(raw, found.values, "y"), schema, tmp_path, "labelled")

    written = ds.dataset(tmp_path / handle.path).to_table().to_pydict()
    assert written == {"id": [1, 3], "x": [0.1, 0.3], "y": ["no", "yes"]}


@pytest.mark.parametrize(
    ("own", "late", "filled", "kind"),
    [
        ([1, None, None], [None, 2, None], [1, 2], pa.int64()),
        ([1, 1, None], [0.5, None, None], [0.5, 1.0], pa.float64()),
        (["a", None, None], [1, 2, None], ["1", "2"], pa.string()),
        ([1.0, 2.0, None], [None, None, None], [1.0, 2.0], pa.float64()),
    ],
)
def test_a_target_of_the_batch_itself_stays_where_no_label_came(
    own: list[Any], late: list[Any], filled: list[Any], kind: pa.DataType
) -> None:
    raw = dataset(y=own, x=[1, 2, 3])

    table = pa.Table.from_batches(list(labelled_table(raw, pa.array(late), "y")))

    assert table.column_names == ["y", "x"]
    assert table.schema.field("y").type == kind
    assert table.column("y").to_pylist() == filled
    assert table.column("x").to_pylist() == [1, 2]


def test_many_labels_of_other_batches_cost_little() -> None:
    generator = np.random.default_rng(0)
    raw = dataset(id=np.arange(1_000))
    labels = dataset(id=generator.integers(0, 300_000, 300_000), y=generator.integers(0, 2, 300_000))

    found = match_labels(raw, labels, target="y", key=["id"])

    assert found.match.matched + found.match.waiting == 1_000
    assert found.match.unknown > 290_000
