"""`automl clean`: same rows, order, columns and names, and each cell that is not in the change log keeps its text."""

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_assets.cleaning.operations import registry
from automl_assets.cleaning.repair import Repaired, read_plan, repair, write_delimited, write_plan
from automl_assets.core.errors import ConfigError, InputError, SchemaError, UnknownNameError
from automl_assets.core.values import CleaningPlan, PlanStep
from automl_assets.ingestion.sources import registry as sources
from tests.conftest import shared_file

MESSY = """code,name,day,price,note
007, Ann,31/01/2020,"1,200.50",None
042,Bob ,28/02/2021,7,unknown
100,NULL,2021-02-30,3.10,
003,Cy,"",1e5,"a ""quoted"", word"
"""


def cleaned(
    source: Path, folder: Path, *, suffix: str = ".csv", plan: CleaningPlan | None = None, structural: bool = False
) -> tuple[Repaired, Path, list[dict]]:
    """What was done, the repaired file, and the change log."""
    kind = "parquet" if source.suffix == ".parquet" else "csv"
    reading = sources.get(kind).model_validate({"path": str(source)}).open("all")
    folder.mkdir(exist_ok=True)
    out, changes = folder / f"out{suffix}", folder / "changes.parquet"
    done = repair(reading, out, changes, plan=plan, structural=structural, scratch=folder / "scratch")
    return done, out, pq.read_table(changes).to_pylist()


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def grid(path: Path, separator: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def assert_only_logged_cells_changed(before: list[list[str]], after: list[list[str]], log: list[dict]) -> None:
    """Replays the log over the input; the result must be the output, cell by cell."""
    names = before[0]
    expected = [list(row) for row in before]
    for change in log:
        row, column = change["row"] + 1, names.index(change["column"])
        assert expected[row][column] == (change["before"] or "")
        assert (change["after"] or "") != (change["before"] or "")
        expected[row][column] = change["after"] or ""
    assert after == expected


def test_cells_are_repaired_and_all_others_keep_their_text(tmp_path: Path) -> None:
    source = written(tmp_path, MESSY)
    done, out, log = cleaned(source, tmp_path)
    assert grid(out) == [
        ["code", "name", "day", "price", "note"],
        ["007", "Ann", "31/01/2020", "1,200.50", "None"],
        ["042", "Bob", "28/02/2021", "7", "unknown"],
        ["100", "", "2021-02-30", "3.10", ""],
        ["003", "Cy", "", "1e5", 'a "quoted", word'],
    ]
    assert (done.rows, done.columns, done.changed_cells, done.changed_by_step) == (4, 5, 3, (1, 2))
    assert log == [
        change(2, "NULL", None, "normalise_missing"),
        change(0, " Ann", "Ann", "trim"),
        change(1, "Bob ", "Bob", "trim"),
    ]


def change(row: int, before: str, after: str | None, operation: str) -> dict:
    return {
        "row": row,
        "column": "name",
        "before": before,
        "after": after,
        "operation": operation,
        "confidence": 1.0,
        "author": "local",
    }


def test_blank_cells_beside_repaired_ones_are_no_changes(tmp_path: Path) -> None:
    done, _, log = cleaned(written(tmp_path, "a,b\n x,1\n,2\n  ,3\n"), tmp_path)
    assert [(entry["row"], entry["before"], entry["after"]) for entry in log] == [(0, " x", "x"), (2, "  ", None)]
    assert done.changed_cells == 2


def test_a_clean_file_comes_back_with_an_empty_log(tmp_path: Path) -> None:
    source = written(tmp_path, "a,b\n007,2020-01-01\n1.50,x\n")
    done, out, log = cleaned(source, tmp_path)
    assert (done.changed_cells, done.plan, log) == (0, CleaningPlan(), [])
    assert grid(out) == grid(source)


def test_cleaning_what_is_clean_changes_nothing(tmp_path: Path) -> None:
    _, once, _ = cleaned(written(tmp_path, MESSY), tmp_path / "once")
    done, twice, _ = cleaned(once, tmp_path / "twice")
    assert done.changed_cells == 0
    assert grid(twice) == grid(once)


@pytest.mark.parametrize(
    ("separator", "text"), [(";", "a;b\n x;1,5\ny;2\n"), ("\t", "a\tb\n x\t1\ny\t2\n"), ("|", "a|b\n x|1\ny|2\n")]
)
def test_the_separator_stays(separator: str, text: str, tmp_path: Path) -> None:
    _, out, _ = cleaned(written(tmp_path, text), tmp_path)
    assert grid(out, separator) == grid_of(text.replace(" x", "x"), separator)


def grid_of(text: str, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def test_a_file_without_a_header_gets_none(tmp_path: Path) -> None:
    done, out, _ = cleaned(written(tmp_path, "1, x\n2,y\n3,x\n4,y\n5,x\n"), tmp_path)
    assert done.rows == 5
    assert grid(out) == [["1", "x"], ["2", "y"], ["3", "x"], ["4", "y"], ["5", "x"]]


def test_cells_with_separators_quotes_and_line_breaks_stay_cells(tmp_path: Path) -> None:
    text = 'a,b\n"x, y","line one\nline two"\n"say ""hi""", z\n'
    _, out, _ = cleaned(written(tmp_path, text), tmp_path)
    assert grid(out) == [["a", "b"], ["x, y", "line one\nline two"], ['say "hi"', "z"]]


def test_structural_drops_and_types_columns(tmp_path: Path) -> None:
    rows = "\n".join(f"{i:03d},$1 {i % 9}00,NL,3{i % 2}/01/2020" for i in range(40))
    done, out, _ = cleaned(
        written(tmp_path, f"code,price,country,day\n{rows}\n"), tmp_path, suffix=".parquet", structural=True
    )
    table = pq.read_table(out)
    assert table.column_names == ["code", "price", "day"]
    assert [str(type_) for type_ in table.schema.types] == ["string", "double", "timestamp[us]"]
    assert table.column("code")[7].as_py() == "007"
    assert table.column("price")[7].as_py() == 1700
    assert (done.rows, done.columns) == (40, 3)


def step(operation: str, column: str, **params: object) -> PlanStep:
    return PlanStep(operation=operation, columns=(column,), params=params, reason="because", author="person")


def test_a_given_plan_is_replayed_as_it_is(tmp_path: Path) -> None:
    plan = CleaningPlan(steps=(step("normalise_missing", "name", literals=["Cy"]),))
    done, out, log = cleaned(written(tmp_path, MESSY), tmp_path, plan=plan)
    assert done.plan == plan
    assert [row[1] for row in grid(out)] == ["name", " Ann", "Bob ", "NULL", ""]
    assert [(entry["before"], entry["author"]) for entry in log] == [("Cy", "person")]


def test_structural_steps_of_a_given_plan_happen_only_on_request(tmp_path: Path) -> None:
    plan = CleaningPlan(steps=(step("drop_constant", "note"), step("trim", "name")))
    source = written(tmp_path, MESSY)
    done, out, _ = cleaned(source, tmp_path / "cells", plan=plan)
    assert grid(out)[0] == ["code", "name", "day", "price", "note"]
    assert done.plan == CleaningPlan(steps=plan.steps[1:], flagged=plan.steps[:1])
    done, out, _ = cleaned(source, tmp_path / "structural", plan=plan, structural=True)
    assert grid(out)[0] == ["code", "name", "day", "price"]
    assert done.plan == plan


@pytest.mark.parametrize(
    ("plan", "error", "told"),
    [
        (CleaningPlan(steps=(step("trim", "nme"),)), SchemaError, "names columns that the file lacks: nme"),
        (CleaningPlan(steps=(step("normalise_missing", "name"),)), ConfigError, "The plan can't be applied: KeyError"),
        (
            CleaningPlan(steps=(step("normalise_missing", "name", literals=3),)),
            ConfigError,
            "The plan can't be applied",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_and_leaves_nothing(plan, error, told: str, tmp_path: Path) -> None:
    source = written(tmp_path, MESSY)
    with pytest.raises(error, match=told):
        cleaned(source, tmp_path / "out", plan=plan)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != "scratch"] == []


def test_a_plan_is_the_same_after_its_file(tmp_path: Path) -> None:
    done, _, _ = cleaned(written(tmp_path, MESSY), tmp_path)
    write_plan(tmp_path / "plan.json", done.plan)
    assert read_plan(tmp_path / "plan.json") == done.plan
    assert json.loads((tmp_path / "plan.json").read_text())["steps"][0]["operation"] == "normalise_missing"


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("{", ConfigError, "The plan can't be read"),
        ('{"steps": 3}', ConfigError, "The plan can't be read"),
        ('{"stepps": []}', ConfigError, "The plan can't be read"),
        (
            '{"steps": [{"operation": "trimm", "columns": ["a"], "params": {}, "reason": ""}]}',
            UnknownNameError,
            "Unknown cleaning operation 'trimm'. Did you mean 'trim'",
        ),
    ],
)
def test_a_file_that_is_no_plan_is_refused(text: str, error: type[InputError], told: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=told) as raised:
        read_plan(written(tmp_path, text, "plan.json"))
    assert raised.value.where == str(tmp_path / "plan.json")


def test_a_plan_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="The plan can't be read"):
        read_plan(tmp_path / "plan.json")


def test_parquet_keeps_its_types_and_its_other_cells(tmp_path: Path) -> None:
    table = pa.table({"n": [1, None, 3], "f": [0.5, None, 2.0], "t": [" x", "", None], "u": ["NA", "a", "b"]})
    pq.write_table(table, tmp_path / "table.parquet")
    done, out, log = cleaned(tmp_path / "table.parquet", tmp_path, suffix=".parquet")
    after = pq.read_table(out)
    assert after.schema.equals(table.schema)
    assert after.column("t").to_pylist() == ["x", "", None]
    assert after.column("u").to_pylist() == [None, "a", "b"]
    assert after.column("f").to_pylist() == [0.5, None, 2.0]
    assert (done.changed_cells, len(log)) == (2, 2)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([("x", 1), (None, None)], "a,b\n"),
        ([("", 2.5)], "a,b\n"),
        ([("q,\n", 0)], "a,b\n"),
    ],
)
def test_delimited_text_reads_back_as_it_was(rows: list, text: str, tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.string()), ("b", pa.float64())])
    batch = pa.RecordBatch.from_pydict({"a": [a for a, _ in rows], "b": [b for _, b in rows]}, schema=schema)
    write_delimited(tmp_path / "out.csv", schema, iter([batch]))
    assert (tmp_path / "out.csv").read_text().startswith(text)
    back = grid(tmp_path / "out.csv")[1:]
    assert [(a, float(b) if b else None) for a, b in back] == [(a or "", b) for a, b in rows]
    write_delimited(tmp_path / "bare.csv", schema, iter([batch]), header=False)
    assert grid(tmp_path / "bare.csv") == back


CELL = st.one_of(
    st.sampled_from(
        ["007", "1,5", "2020-02-30", "31/01/2020", "None", "NA", " NULL ", "?", "", "  ", " x ", "1e5", "+7"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6),
    st.sampled_from(["a,b", 'say "hi"', "two\nlines", ";", "\t", "'", "é", "日本"]),
)


@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=15))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_cells_only_logged_ones_change(rows: list, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("clean")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "first", "second", "third"], *([str(i), *row] for i, row in enumerate(rows, start=1))])
    source = written(folder, buffer.getvalue())
    done, out, log = cleaned(source, folder)
    assert (done.rows, done.columns, done.changed_cells) == (len(rows), 4, len(log))
    assert_only_logged_cells_changed(grid(source), grid(out), log)
    assert {entry["operation"] for entry in log} <= {n for n in registry.names() if not registry.get(n).structural}


@pytest.mark.parametrize(
    "file", ["raha_beers/dirty.csv", "renuver_restaurant/dirty.csv", "superstore/Sample - Superstore.csv.gz"]
)
def test_real_dirty_files_keep_every_cell_that_is_not_logged(file: str, tmp_path: Path) -> None:
    import gzip

    source = shared_file(file)
    done, out, log = cleaned(source, tmp_path)
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8-sig", newline="") as handle:
        before = list(csv.reader(handle))
    assert_only_logged_cells_changed(before, grid(out), log)
    assert done.rows == len(before) - 1


def test_a_planted_file_of_words_for_missing_is_logged_cell_by_cell(tmp_path: Path) -> None:
    source = written(tmp_path, "id,v\n" + "".join(f"{i},{'NULL' if i % 10 == 0 else 'word'}\n" for i in range(1, 101)))
    _, out, log = cleaned(source, tmp_path)
    assert [entry["row"] for entry in log] == list(range(9, 100, 10))
    assert sum(row[1] == "" for row in grid(out)) == 10
