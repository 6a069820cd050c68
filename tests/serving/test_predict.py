import dataclasses
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import StorageError
from automl_assets.core.memory import BatchSize
from automl_assets.serving.predict import Scorer, predict_table
from automl_assets.training.model import Model, ModelCard
from tests.training.small_models import Small, raw_table

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)


def scored(
    small: Small, table: pa.Table, rows: int = 1000, *, batch: str = "monday", version: str = "3"
) -> tuple[pa.Table, Scorer]:
    """A table's predictions, `rows` at a time."""
    scorer = Scorer(small.load(), "churn", version, batch, scored_at=AT)
    pieces = list(scorer.score(ds.dataset(table), BatchSize(rows, budget_mb=10_000)))
    return pa.Table.from_batches(pieces, schema=scorer.schema(table.schema)), scorer


def test_the_columns_are_the_documented_ones(small: Small) -> None:
    table, _ = scored(small, small.raw)

    classes = small.problem.classes
    middle = [f"probability_{label}" for label in classes] if classes else ["lower", "upper"]
    assert table.column_names == [
        "id", "prediction", *middle, "prediction_id", "model_version", "batch", "scored_at",
    ]  # fmt: skip
    assert table.column("id").to_pylist() == small.raw.column("id").to_pylist()
    assert set(table.column("model_version").to_pylist()) == {"3"}
    assert set(table.column("batch").to_pylist()) == {"monday"}
    assert set(table.column("scored_at").to_pylist()) == {AT}
    assert table.schema.field("scored_at").type == pa.timestamp("us", tz="UTC")


def test_the_values_are_the_models(small: Small) -> None:
    model = small.load()
    table, _ = scored(small, small.raw)

    predicted = model.predict(small.raw)

    assert table.column("prediction").to_pylist() == model.labels(predicted).tolist()
    for k, label in enumerate(model.card.classes):
        assert np.allclose(np.asarray(table.column(f"probability_{label}")), predicted[:, k], rtol=1e-9)
    if not model.card.classes:
        half = ModelCard.read(small.folder).residual_quantile
        assert np.allclose(np.asarray(table.column("lower")), predicted - half)
        assert np.allclose(np.asarray(table.column("upper")), predicted + half)


def test_a_90_percent_interval_holds_about_90_percent_of_new_rows(regression: Small) -> None:
    new = raw_table("regression", rows=1000, seed=9)
    table, _ = scored(regression, new)

    truth = np.asarray(new.column("y"))
    inside = (np.asarray(table.column("lower")) <= truth) & (truth <= np.asarray(table.column("upper")))

    assert 0.85 <= inside.mean() <= 0.95


@pytest.mark.parametrize("rows", [1, 7, 400])
def test_any_batch_size_gives_the_same_predictions(small: Small, rows: int) -> None:
    some = small.raw.slice(0, 40) if rows == 1 else small.raw

    whole, _ = scored(small, some)
    pieces, _ = scored(small, some, rows)

    assert pieces.column("prediction_id").equals(whole.column("prediction_id"))
    for name in whole.column_names:
        if pa.types.is_floating(whole.schema.field(name).type):
            assert np.allclose(np.asarray(pieces.column(name)), np.asarray(whole.column(name)), rtol=1e-9), name
        else:
            assert pieces.column(name).to_pylist() == whole.column(name).to_pylist(), name


def test_a_prediction_id_is_the_documented_hash(binary: Small) -> None:
    table, _ = scored(binary, binary.raw.slice(5, 1))

    expected = hashlib.blake2b("\x1e".join(("churn", "monday", "r5", "3")).encode(), digest_size=16).hexdigest()
    assert table.column("prediction_id").to_pylist() == [expected]


def test_prediction_ids_depend_on_batch_and_version_and_on_nothing_else(binary: Small) -> None:
    def ids(**parts: str) -> list[str]:
        return scored(binary, binary.raw.slice(0, 20), 1000, **parts)[0].column("prediction_id").to_pylist()

    assert ids() == ids()
    assert not {*ids()} & {*ids(batch="tuesday")}
    assert not {*ids()} & {*ids(version="4")}
    reordered, _ = scored(binary, binary.raw.slice(0, 20).select(["y", "city", "income", "age", "id"]))
    assert reordered.column("prediction_id").to_pylist() == ids()


def test_without_ids_rows_are_told_apart_by_content_and_occurrence(binary: Small) -> None:
    bare = binary.raw.drop_columns(["id"]).slice(0, 3)
    table, _ = scored(binary, pa.concat_tables([bare, bare]), rows=2)
    alone, _ = scored(binary, bare)

    ids = table.column("prediction_id").to_pylist()
    assert len(set(ids)) == 6
    assert ids[:3] == alone.column("prediction_id").to_pylist()
    assert "id" not in table.column_names


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(
        st.one_of(
            st.none(),
            st.sampled_from(["a", "a#1", "a#2", "", "None"]),
            st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=3),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_row_has_its_own_id(ids: list[str | None]) -> None:
    class OnlyIds:
        card = type("Card", (), {"id_columns": ("id",)})

    scorer = Scorer(OnlyIds(), "p", "1", "b")  # type: ignore[arg-type]

    found = scorer._row_ids(pa.record_batch({"id": pa.array(ids, pa.string())}))

    assert len(set(found)) == len(ids)


def test_missing_extra_and_unseen_are_told(binary: Small, tmp_path: Path) -> None:
    rows = binary.raw.slice(0, 6).drop_columns(["income", "y"]).append_column("noise", pa.array(range(6)))
    position = rows.column_names.index("city")
    rows = rows.set_column(position, "city", pa.array(["Bern", "Genf", "Genf", None, " Basel", "Lugano"]))
    pq.write_table(rows, tmp_path / "in.parquet")

    told = predict_table(
        str(binary.folder), binary.model.digest, [str(tmp_path / "in.parquet")], str(tmp_path), "out",
        pipeline="churn", version="3", batch="b", batch_rows=4, memory_mb=5000, threads=1,
    )  # fmt: skip

    assert told["missing_columns"] == ["income"]
    assert told["extra_columns"] == ["noise"]
    assert told["unseen"] == {"city": 3}
    written = pq.read_table(tmp_path / told["table"]["path"])
    assert written.num_rows == told["table"]["rows"] == 6
    assert written.column("id").to_pylist() == ["r0", "r1", "r2", "r3", "r4", "r5"]
    assert written.column("probability_yes").null_count == 0


def test_an_id_column_called_like_one_of_ours_keeps_its_values_under_another_name(binary: Small) -> None:
    model = binary.load()
    card = dataclasses.replace(model.card, id_columns=("batch",))
    raw = binary.raw.rename_columns(["batch" if name == "id" else name for name in binary.raw.column_names])
    scorer = Scorer(Model(card, model._members), "churn", "3", "monday", scored_at=AT)
    table = pa.Table.from_batches(list(scorer.score(ds.dataset(raw), BatchSize(1000, budget_mb=10_000))))

    assert table.column_names.count("batch") == 1
    assert table.column("id_batch").to_pylist() == raw.column("batch").to_pylist()


def test_an_empty_batch_gives_an_empty_table_with_the_same_columns(small: Small, tmp_path: Path) -> None:
    pq.write_table(small.raw.slice(0, 0), tmp_path / "in.parquet")

    told = predict_table(
        str(small.folder), None, [str(tmp_path / "in.parquet")], str(tmp_path), "out",
        pipeline="p", version="1", batch="b", batch_rows=10, memory_mb=5000, threads=1,
    )  # fmt: skip

    written = pq.read_table(tmp_path / told["table"]["path"])
    assert written.num_rows == 0
    assert written.column_names == scored(small, small.raw.slice(0, 1))[0].column_names


def test_a_changed_model_scores_nothing(binary: Small, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(binary.folder, tmp_path / "model"))
    (folder / "model.json").write_text("{}")
    pq.write_table(binary.raw, tmp_path / "in.parquet")

    with pytest.raises(StorageError, match="not the ones that were registered"):
        predict_table(
            str(folder), binary.model.digest, [str(tmp_path / "in.parquet")], str(tmp_path), "out",
            pipeline="p", version="1", batch="b", batch_rows=10, memory_mb=5000, threads=1,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
