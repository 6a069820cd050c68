"""Which rows of a table lie in a window: borders, zones, changes of the clock, and what can't be placed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources.csv import Csv
from automl_assets.ingestion.sources.parquet import Parquet, groups_within
from automl_assets.ingestion.window_content import contents
from automl_assets.ingestion.window_rows import WindowReading, edges_of, place
from automl_assets.ingestion.windows import Window, closed_windows, window_of_key

SPRING = [window_of_key("daily", "Europe/Warsaw", f"2024-03-{day}") for day in (30, 31)]


def csv_of(folder: Path, *cells: str, name: str = "t.csv") -> Csv:
    lines = [f"{cell},{number},c{number}" for number, cell in enumerate(cells)]
    (folder / name).write_text("at,n,word\n" + "\n".join(lines) + "\n")
    return Csv(path=str(folder / name))


def numbers(source: Csv | Parquet, window: Window, column: str | None = "at") -> list[int]:
    reading = WindowReading.of(source.open_window(window, column)[0], window, column)
    first, second = ([int(n) for b in reading.batches() for n in b.column(1).to_pylist()] for _ in range(2))
    assert first == second
    return first


@pytest.mark.parametrize(
    ("values", "placed"),
    [
        (["2024-03-30", "2024-03-31T00:00:00", "2024-03-31 23:59:59.999999", "2024-04-01"], [0, 1, 1, -1]),
        (["2024-03-29T22:59Z", "2024-03-29T23:00Z", "2024-03-30T23:00Z", "2024-03-31T22:00Z"], [-1, 0, 1, -1]),
        (["2024-03-31T00:30+02:00", "2024-03-31T02:30", " 2024-03-30 "], [0, 1, 0]),
        (["30/03/2024", "", None, "2024-02-30"], [-2, -2, -2, -2]),
    ],
)
def test_text_is_placed_by_local_time_or_by_instant(values: list[str | None], placed: list[int]) -> None:
    edges = edges_of(SPRING)
    assert place(pa.array(values, pa.string()), edges).tolist() == placed
    assert place(pa.array(values, pa.string()).dictionary_encode(), edges).tolist() == placed


@pytest.mark.parametrize(
    ("array", "placed"),
    [
        (pa.array([datetime(2024, 3, 31), None, datetime(2024, 4, 1)], pa.timestamp("ns")), [1, -2, -1]),
        (pa.array([datetime(2024, 3, 30, 23, tzinfo=UTC)], pa.timestamp("ms", "UTC")), [1]),
        (pa.array([datetime(2024, 3, 30, 23, tzinfo=UTC)], pa.timestamp("s", "Europe/Warsaw")), [1]),
        (pa.array([date(2024, 3, 30), date(2024, 4, 1)]), [0, -1]),
        (pa.nulls(2), [-2, -2]),
    ],
)
def test_times_of_every_type_are_placed(array: pa.Array, placed: Sequence[int]) -> None:
    assert place(array, edges_of(SPRING)).tolist() == placed


def test_a_file_s_rows_of_one_window_are_read(tmp_path: Path) -> None:
    source = csv_of(tmp_path, "2024-03-30", "2024-03-31T05:00", "nonsense", "2024-03-30T23:59:59", "2024-04-01")
    assert [numbers(source, window) for window in SPRING] == [[0, 3], [1]]


def test_types_are_those_of_the_window_alone(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("at,n\n2024-03-30,1\n2024-03-31,word\n2024-03-30,2\n")
    reading = WindowReading.of(Csv(path=str(tmp_path / "t.csv")).open("all"), SPRING[0], "at")
    (batch,) = reading.batches()
    assert batch.column(1).dictionary.to_pylist() == ["1", "2"]


def test_ragged_rows_and_rows_without_a_time_are_told_and_don_t_count_against_the_window(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("at,n\n2024-03-30,1\n2024-03-31,2\nnonsense,3\n2024-03-30,4,5\n2024-03-30,6\n")
    reading = WindowReading.of(Csv(path=str(tmp_path / "t.csv")).open("all"), SPRING[0], "at")
    assert sum(batch.num_rows for batch in reading.batches()) == 2
    assert [(finding.code, finding.count) for finding in reading.findings] == [("rows_in_no_window", 2)]
    assert reading.rejected_lines() == []


@pytest.mark.parametrize(("column", "told"), [(None, "Set batches.time_column"), ("att", "Did you mean 'at'")])
def test_a_column_that_is_not_there_is_said(tmp_path: Path, column: str | None, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        WindowReading.of(csv_of(tmp_path, "2024-03-30", "2024-03-31").open("all"), SPRING[0], column)


def test_a_column_without_times_is_said(tmp_path: Path) -> None:
    pq.write_table(pa.table({"at": [1, 2], "n": [1, 2]}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="Column 'at' holds int64, not times"):
        numbers(Parquet(path=str(tmp_path / "t.parquet")), SPRING[0])
    with pytest.raises(SourceError, match="holds no time that can be read"):
        contents(csv_of(tmp_path, "30/03/2024", "31/03/2024").open("all"), SPRING, "at")


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_parquet_reads_only_row_groups_that_can_hold_the_window(tmp_path: Path, zone: str | None) -> None:
    days = [datetime(2024, 3, day, hour) for day in range(25, 32) for hour in (6, 18)]
    table = pa.table({"at": pa.array(days, pa.timestamp("us", zone)), "n": list(range(14))})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    source = Parquet(path=str(tmp_path / "t.parquet"))
    assert [numbers(source, window) for window in SPRING] == [[10, 11], [12, 13]]
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert groups_within(file, SPRING[0], "at") == [5]
    assert groups_within(file, SPRING[0], "n") is None
    assert groups_within(file, SPRING[0], "other") is None


def test_appended_rows_change_the_windows_in_which_they_lie_only(tmp_path: Path) -> None:
    cells = ["2024-03-30", "2024-03-31T05:00", "2024-03-30T07:00"]
    before = contents(csv_of(tmp_path, *cells).open("all"), SPRING, "at")
    after = contents(csv_of(tmp_path, *cells, "2024-03-31T06:00", "2024-04-02").open("all"), SPRING, "at")
    assert [before[key].rows for key in before] == [2, 1]
    assert [after[key].rows for key in after] == [2, 2]
    assert before["2024-03-30"].digest == after["2024-03-30"].digest
    assert before["2024-03-31"].digest != after["2024-03-31"].digest


def test_any_change_of_a_cell_or_of_the_order_is_another_content(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (tmp_path / "t.csv").write_text("at,a,b\n" + text)
        return contents(Csv(path=str(tmp_path / "t.csv")).open("all"), SPRING[:1], "at")["2024-03-30"].digest

    texts = ["2024-03-30,1,2\n2024-03-30,3,4\n", "2024-03-30,3,4\n2024-03-30,1,2\n", "2024-03-30,2,1\n2024-03-30,3,4\n"]
    texts += ["2024-03-30,1,\n2024-03-30,3,4\n", "2024-03-30,1,2\n", "2024-03-30,1,2\n2024-03-30,3,40\n"]
    assert len({digest(text) for text in texts}) == len(texts)


def test_the_digest_depends_on_the_rows_not_on_the_pieces_they_are_read_in(tmp_path: Path) -> None:
    days = [datetime(2024, 3, 30, hour) for hour in range(24)]
    table = pa.table({"at": days, "n": list(range(24)), "f": [n / 3 if n % 5 else None for n in range(24)]})
    digests = set()
    for size in (2, 7, 24):
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=size)
        digests.add(contents(Parquet(path=str(tmp_path / "t.parquet")).open("all"), SPRING, "at")["2024-03-30"].digest)
    assert len(digests) == 1


def test_every_dated_row_lies_in_exactly_one_window_across_the_changes_of_the_clock() -> None:
    windows = closed_windows("daily", date(2024, 1, 1), "Europe/Warsaw", datetime(2025, 1, 2, tzinfo=UTC))
    hours = pa.array([datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1e6 + h * 3.6e9 for h in range(366 * 24)])
    placed = place(hours.cast(pa.int64()).cast(pa.timestamp("us", "UTC")), edges_of(windows))
    counts = [int((placed == number).sum()) for number in range(1, 365)]
    assert sorted(set(counts)) == [23, 24, 25]
    assert (counts.count(23), counts.count(25)) == (1, 1)
