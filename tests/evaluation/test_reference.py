import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from automl_assets.core.errors import StorageError
from automl_assets.core.label_sketches import MOST_LABELS, CategorySketch
from automl_assets.core.sketches import NumericSketch
from automl_assets.evaluation import columns
from automl_assets.evaluation.columns import chosen_rows, hashed, label_counts, sample_rows
from automl_assets.evaluation.projection import Projection
from automl_assets.evaluation.reference import Reference, build_reference, reference_of, windows_of, write_reference

ROLES = {
    "age": "numeric", "income": "numeric", "flag": "categorical", "town": "categorical", "secret": "categorical",
    "when": "datetime", "note": "text", "id": "id", "gone": "numeric",
}  # fmt: skip
ROWS = 3_000


def a_table(rows: int = ROWS, seed: int = 0) -> pa.Table:
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 90, rows)
    return pa.table(
        {
            "age": age,
            "income": pa.array(generator.lognormal(10, 1, rows), mask=generator.random(rows) < 0.1),
            "flag": pa.array(generator.random(rows) < 0.5),
            "town": pa.array(np.array(["Rome", "Ur", "Bath"])[generator.integers(0, 3, rows)]).dictionary_encode(),
            "secret": np.array(["zebrafish", "quagga"])[generator.integers(0, 2, rows)],
            "when": pa.array(np.arange(rows) * 10**9, pa.timestamp("us")),
            "note": [f"note {i % 7}" for i in range(rows)],
            "id": np.arange(rows),
            "y": np.where(age > 50, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reference]:
    folder = tmp_path_factory.mktemp("reference")
    build_reference(
        ds.dataset(a_table()), ROLES, folder, target="y", classes=("no", "yes"), private=["secret", "income"]
    )
    return folder, Reference.load(folder)


def test_a_reference_holds_the_features_with_a_test_and_the_target(stored: tuple[Path, Reference]) -> None:
    _, found = stored

    assert found.features == ("age", "income", "flag", "town", "secret", "when", "note")
    assert (found.rows, found.target, found.roles["y"]) == (ROWS, "y", "categorical")
    assert {name: sketch.rows for name, sketch in found.sketches.items()} == dict.fromkeys([*found.features, "y"], ROWS)


def test_the_counts_are_exact(stored: tuple[Path, Reference]) -> None:
    _, found = stored
    table = a_table()

    age, town, income = (found.sketches[name] for name in ("age", "town", "income"))

    assert isinstance(age, NumericSketch)
    assert age.edges.tolist() == sorted(set(table["age"].to_pylist()))
    assert age.cells[1::2].tolist() == np.unique(table["age"], return_counts=True)[1].tolist()
    assert age.moments.mean == pytest.approx(np.mean(table["age"]))
    assert isinstance(town, CategorySketch)
    assert dict(zip(town.labels, town.counts[2:].tolist(), strict=True)) == label_counts(table["town"].combine_chunks())
    assert income.missing == table["income"].null_count


def test_what_was_saved_is_what_was_made(stored: tuple[Path, Reference], tmp_path: Path) -> None:
    _, found = stored
    made = reference_of(ds.dataset(a_table()), ROLES, target="y", classes=("no", "yes"), private=["secret", "income"])

    assert {n: s.vector.tolist() for n, s in made.sketches.items()} == {
        n: s.vector.tolist() for n, s in found.sketches.items()
    }
    assert made.windows == found.windows
    assert all((made.window_counts[n] == found.window_counts[n]).all() for n in made.sketches)
    assert made.sample.equals(found.sample)
    assert made.projection is not None
    assert found.projection is not None
    assert (made.projection.errors(made.sample) == found.projection.errors(found.sample)).all()
    found.save(tmp_path)
    assert Reference.load(tmp_path).sketches["note"].vector.tolist() == made.sketches["note"].vector.tolist()


def test_nothing_private_is_stored(stored: tuple[Path, Reference]) -> None:
    folder, found = stored
    everything = b"".join(file.read_bytes() for file in folder.iterdir())

    assert b"zebrafish" not in everything
    assert b"Rome" in everything
    assert found.sample.column_names == ["age", "flag", "town"]
    income, kept = found.sketches["income"], set(a_table()["income"].to_pylist())
    assert isinstance(income, NumericSketch)
    assert not set(income.edges.tolist()) & kept
    assert not {income.moments.minimum, income.moments.maximum} & kept
    assert income.cells[0] == income.cells[-1] == 0


def test_a_private_batch_is_counted_on_the_hashes(stored: tuple[Path, Reference]) -> None:
    _, found = stored

    sketch = found.count("secret", pa.array(["quagga", "quagga", "dodo", None]))

    assert isinstance(sketch, CategorySketch)
    assert sketch.counts[2 + sketch.labels.index(hashed("quagga", "secret"))] == 2
    assert (sketch.unknown, sketch.missing) == (1, 1)


@pytest.mark.parametrize(
    ("rows", "scales"),
    [
        (999, {}),
        (1_000, {500: 8}),
        (4_000, {500: 32, 2_000: 8}),
        (100_000, {500: 128, 2_000: 128, 8_000: 48, 32_000: 12}),
        (4_000_000, {500: 128, 2_000: 128, 8_000: 128, 32_000: 125, 128_000: 31, 512_000: 7}),
    ],
)
def test_windows_lie_everywhere_at_several_scales_and_overlap_where_there_are_few_rows(
    rows: int, scales: dict[int, int]
) -> None:
    windows = windows_of(rows)

    found = {scale: sum(window.rows == scale for window in windows) for scale in {w.rows for w in windows}}
    assert found == scales
    for scale in scales:
        starts = [window.start for window in windows if window.rows == scale]
        assert starts == sorted(starts)
        assert 0 <= starts[0] <= rows / len(starts)
        assert rows - scale - rows / len(starts) <= starts[-1] <= rows - scale


def test_a_window_of_the_training_rows_lasts_as_long_as_a_batch() -> None:
    """A fifth of the rows is held out: 400 training rows are of the same days as a batch of 500."""
    assert {(window.rows, window.scale) for window in windows_of(8_000, share=0.8)} == {(400, 500), (1_600, 2_000)}


def test_windows_meet_a_season_in_many_phases() -> None:
    starts = np.array([window.start for window in windows_of(24 * 5_000) if window.rows == 500])
    assert len(np.unique(starts // 500 % 7)) == 7
    assert np.std(np.diff(starts)) > 100


def test_windows_count_their_own_rows_and_the_rest_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl_assets.core.tables.DEFAULT_BATCH_ROWS", 700)  # windows that span batches
    values = np.arange(4_000.0) % 100
    found = reference_of(ds.dataset(pa.table({"x": values})), {"x": "numeric"})

    pairs = list(found.against_itself("x", rows=1_999))

    assert len(pairs) == 32
    for number, (rest, part) in enumerate(pairs):
        assert isinstance(part, NumericSketch)
        start = windows_of(4_000)[number].start
        assert part.vector.tolist() == part.empty().count(values[start : start + 500]).vector.tolist()
        assert (rest.rows, part.rows) == (3_500, 500)


@pytest.mark.parametrize(("rows", "scale"), [(20, 500), (500, 500), (1_999, 500), (2_000, 2_000), (10**6, 2_000)])
def test_the_scale_of_windows_follows_the_batch(rows: int, scale: int) -> None:
    found = reference_of(ds.dataset(pa.table({"x": np.arange(5_000.0)})), {"x": "numeric"})

    assert {part.rows for _, part in found.against_itself("x", rows)} == {scale}


def test_a_child_process_writes_the_same_from_files(tmp_path: Path, stored: tuple[Path, Reference]) -> None:
    pq.write_table(a_table(), tmp_path / "train.parquet")

    done = write_reference(
        [str(tmp_path / "train.parquet")], str(tmp_path / "reference"), roles=ROLES, target="y",
        classes=["no", "yes"], private=["secret", "income"],
    )  # fmt: skip

    assert done["size_bytes"] == sum(file.stat().st_size for file in (tmp_path / "reference").iterdir())
    assert (tmp_path / "reference" / "reference.json").read_bytes() == (stored[0] / "reference.json").read_bytes()


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_a_small_table_has_a_reference_too(rows: int, tmp_path: Path) -> None:
    build_reference(ds.dataset(a_table(rows)), ROLES, tmp_path, target="y", classes=("no", "yes"))

    found = Reference.load(tmp_path)

    assert found.rows == rows
    assert found.projection is None
    assert list(found.against_itself("age", 10)) == []


def test_a_column_of_nothing_but_gaps_is_counted(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array([None] * 40, pa.float64()), "z": pa.nulls(40), "inf": [float("inf")] * 40})

    build_reference(ds.dataset(table), {"x": "numeric", "z": "categorical", "inf": "numeric"}, tmp_path)

    found = Reference.load(tmp_path).sketches
    assert (found["x"].missing, found["z"].missing, found["inf"].missing) == (40, 40, 0)
    assert [sketch.known for sketch in found.values()] == [0, 0, 0]


def test_more_labels_than_are_kept_are_known_to_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [f"label {i}" for i in range(MOST_LABELS + 1)] + ["common"] * 50

    found = reference_of(ds.dataset(pa.table({"c": labels})), {"c": "categorical"}).sketches["c"]

    assert isinstance(found, CategorySketch)
    assert (len(found.labels), found.labels[0], found.complete) == (MOST_LABELS, "common", False)
    assert (found.unknown, found.rows) == (2, len(labels))
    monkeypatch.setattr(columns, "MOST_COUNTED_LABELS", 1)
    assert not reference_of(ds.dataset(pa.table({"c": ["a", "b"]})), {"c": "categorical"}).sketches["c"].complete  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("array", "counts"),
    [
        (pa.array([1, 2, 2, None]), {"1": 1, "2": 2, None: 1}),
        (pa.array([1.0, 2.5, float("nan")]), {"1": 1, "2.5": 1, None: 1}),
        (pa.array([True, None, True]), {"true": 2, None: 1}),
        (pa.array(["b", "b"]).dictionary_encode(), {"b": 2}),
    ],
)
def test_labels_read_the_same_whatever_their_type(array: pa.Array, counts: dict[str | None, int]) -> None:
    assert dict(label_counts(array)) == counts


def test_a_sample_is_even_and_no_larger_than_asked() -> None:
    mask = chosen_rows(1_001, 100, seed=0)

    assert mask.sum() == 100
    assert np.diff(np.flatnonzero(mask)).max() <= 21
    assert chosen_rows(5, 100, seed=0).all()
    assert sample_rows(ds.dataset(a_table(300)), ["age"], 0, 100).num_rows == 100


def test_rows_that_break_a_relation_lie_far_from_the_components() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=2_000)
    table = pa.table({"a": x, "b": 2 * x + generator.normal(0, 0.1, 2_000), "c": generator.normal(size=2_000)})
    projection = Projection.fit(table, dict.fromkeys("abc", "numeric"))

    assert projection is not None
    broken = table.set_column(1, "b", pa.array(-2 * x))
    assert projection.errors(broken).mean() > 3 * projection.errors(table).mean()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"a": np.zeros(10), "b": np.arange(10.0)}),
        pa.table({"a": np.zeros(1_000), "b": np.arange(1_000.0)}),
        pa.table({"a": pa.nulls(1_000, pa.float64())}),
    ],
)
def test_there_are_no_components_without_rows_or_two_columns_that_vary(table: pa.Table) -> None:
    assert Projection.fit(table, dict.fromkeys(table.column_names, "numeric")) is None


def test_a_reference_that_is_gone_or_too_new_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no stored reference"):
        Reference.load(tmp_path)
    (tmp_path / "reference.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(StorageError, match="format 99"):
        Reference.load(tmp_path)
