"""Delimited text: what is sniffed, each override, archives, damage, and files that are no table."""

import bz2
import gzip
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.sources.csv import Csv
from tests.conftest import shared_file
from tests.ingestion.reading import ingest_csv

PLAIN = "name,age\nann,31\nbob,42\n"
ROWS = {"name": ["ann", "bob"], "age": [31, 42]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_sniffed(tmp_path: Path, separator: str) -> None:
    read = ingest_csv(PLAIN.replace(",", separator), tmp_path)
    assert read.rows == ROWS
    assert read.raw.dialect is not None
    assert read.raw.dialect.separator == separator


def test_decimal_commas_do_not_hide_a_semicolon(tmp_path: Path) -> None:
    read = ingest_csv("a;b\n1,5;2,5\n3,5;4,5\n", tmp_path)
    assert read.rows == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}


@pytest.mark.parametrize(
    ("data", "options", "rows"),
    [
        ("a~b\n1~2\n", {"separator": "~"}, {"a": [1], "b": [2]}),
        ("a,b;c\n1,2;3\n4,5;6\n", {"separator": ";"}, {"a,b": ["1,2", "4,5"], "c": [3, 6]}),
        (b"a,b\n\xe9,1\n", {"encoding": "latin-1"}, {"a": ["é"], "b": [1]}),
        (b"a,b\n\xe9,1\n", {"encoding": "cp1253"}, {"a": ["ι"], "b": [1]}),
        ("a,b\né,1\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, {"a": ["é"], "b": [1]}),
        (b"\xef\xbb\xbfa,b\nx,1\n", {"encoding": "utf-8"}, {"a": ["x"], "b": [1]}),
        ("a,b\n*x, y*,1\n", {"quote": "*"}, {"a": ["x, y"], "b": [1]}),
        ('a,b\n"x",1\n', {"quote": None}, {"a": ['"x"'], "b": [1]}),
        ('a,b\n"x",1\n', {"quote": ""}, {"a": ['"x"'], "b": [1]}),
        ("1,x\n2,y\n", {"header": True}, {"1": [2], "x": ["y"]}),
        ("a,b\nc,d\n", {"header": False}, {"col_0": ["a", "c"], "col_1": ["b", "d"]}),
        ("a,b\n1,x\nunknown,y\n", {"missing_tokens": ["unknown"]}, {"a": [1, None], "b": ["x", "y"]}),
        ("a,b\n1,x\nNA,y\n", {"missing_tokens": ["?"]}, {"a": ["1", "NA"], "b": ["x", "y"]}),
        ("a,b\n1,x\nNA,y\n", {"missing_tokens": []}, {"a": ["1", "NA"], "b": ["x", "y"]}),
    ],
)
def test_what_is_stated_is_believed(tmp_path: Path, data: bytes | str, options: dict, rows: dict) -> None:
    assert ingest_csv(data, tmp_path, **options).rows == rows


@pytest.mark.parametrize(
    ("data", "encoding", "findings"),
    [
        ("a,b\nzażółć,1\n".encode(), "utf-8", {}),
        (b"a,b\nplain,1\n", "utf-8", {}),
        ("a,b\nzażółć,1\n".encode("utf-8-sig"), "utf-8-sig", {}),
        ("a,b\nzażółć,1\n".encode("utf-16"), "utf-16", {}),
        ("a,b\nzażółć,1\n".encode("utf-32"), "utf-32", {}),
        ("a,b\ncafé – €,1\n".encode("cp1252"), "cp1252", {"legacy_encoding": 0}),
        (b"a,b\ncaf\xe9 \x81,1\n", "latin-1", {"legacy_encoding": 0}),
    ],
)
def test_the_encoding_is_sniffed(tmp_path: Path, data: bytes, encoding: str, findings: dict[str, int]) -> None:
    read = ingest_csv(data, tmp_path)
    assert read.raw.dialect is not None
    assert read.raw.dialect.encoding == encoding
    assert read.rows["b"] == [1]
    assert read.findings == findings
    if encoding != "latin-1":
        codec = "cp1252" if encoding == "cp1252" else encoding
        assert read.rows["a"] == [data.decode(codec).splitlines()[1].split(",")[0]]


@pytest.mark.parametrize(
    ("data", "count", "cells"),
    [
        ("a,b\nżółw,1\nx".encode() + b"\xff\xfe,2\n", 2, ["żółw", "x\ufffd\ufffd"]),
        ("a,b\nżółw,1\nx,2\ny".encode() + b"\xc3", 1, ["żółw", "x"]),
        (b"\xef\xbb\xbfa,b\nx\xe9,1\n", 1, ["x\ufffd"]),
    ],
)
def test_bytes_that_fit_no_character_are_counted_and_kept_as_text(
    tmp_path: Path, data: bytes, count: int, cells: list[str]
) -> None:
    read = ingest_csv(data, tmp_path)
    assert read.rows["a"] == cells
    assert read.findings["undecodable_bytes"] == count


@pytest.mark.parametrize(
    ("data", "quote", "rows"),
    [
        ('a,b\n"x, y",1\n"say ""hi""",2\n', '"', {"a": ["x, y", 'say "hi"'], "b": [1, 2]}),
        ('a,b\n"two\nlines",1\nx,2\n', '"', {"a": ["two\nlines", "x"], "b": [1, 2]}),
        ("'a','b'\n'x, y','1'\n'z','2'\n", "'", {"a": ["x, y", "z"], "b": [1, 2]}),
        ("a,b\n'x',1\n'y',2\nz,3\n", '"', {"a": ["'x'", "'y'", "z"], "b": [1, 2, 3]}),
        ("a,b\n'twas,1\n'tis,2\n", '"', {"a": ["'twas", "'tis"], "b": [1, 2]}),
        ('a,b\n5" pipe,1\n6" pipe,2\n', '"', {"a": ['5" pipe', '6" pipe'], "b": [1, 2]}),
        ('a,b\n"open,1\nx,2\ny,3\n', None, {"a": ['"open', "x", "y"], "b": [1, 2, 3]}),
    ],
)
def test_the_quote_is_sniffed(tmp_path: Path, data: str, quote: str | None, rows: dict) -> None:
    read = ingest_csv(data, tmp_path)
    assert read.raw.dialect is not None
    assert read.raw.dialect.quote == quote
    assert read.rows == rows


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ("name,age\nann,31\nbob,42\n", True),
        ("ann,31\nbob,42\ncarl,50\n", False),
        ("red,5\nblue,6\nred,7\n", False),
        ("1,2\n3,4\n", False),
        ("first,second\nx,y\nz,w\n", True),
        ("a,b\n1,?\n2,\n", True),
    ],
)
def test_the_header_is_sniffed(tmp_path: Path, data: str, header: bool) -> None:
    read = ingest_csv(data, tmp_path)
    assert read.raw.dialect is not None
    assert read.raw.dialect.header is header
    assert read.raw.table.rows == data.count("\n") - header


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        ("\n\na,b\n1,2\n3,4\n", ["a", "b"]),
        ("\r\na,b\r\n1,2\r\n3,4\r\n", ["a", "b"]),
        ('"a\nlong",b\n1,2\n3,4\n', ["a\nlong", "b"]),
        ("a,b\r1,2\r3,4\r", ["a", "b"]),
        ("a,b\n\n1,2\n\n3,4", ["a", "b"]),
    ],
)
def test_blank_lines_and_long_headers_are_no_rows(tmp_path: Path, data: str, columns: list[str]) -> None:
    read = ingest_csv(data, tmp_path)
    assert list(read.rows) == columns
    assert list(read.rows.values()) == [[1, 3], [2, 4]]


def test_ragged_rows_are_counted_kept_aside_and_left_out(tmp_path: Path) -> None:
    read = ingest_csv("a,b\n1,2\n3\n4,5,6\n7,8\n", tmp_path)
    assert read.rows == {"a": [1, 7], "b": [2, 8]}
    assert read.findings == {"ragged_rows": 2}
    assert read.raw.findings[0].examples == ("1 fields, not 2", "3 fields, not 2")
    assert read.raw.rejected_path is not None
    assert (read.root / read.raw.rejected_path).read_text() == "3\n4,5,6\n"


def test_repeated_and_blank_names_are_renamed_and_told(tmp_path: Path) -> None:
    read = ingest_csv("a,a,,b\n1,2,3,4\n5,6,7,8\n", tmp_path)
    assert list(read.rows) == ["a", "a_2", "column_2", "b"]
    assert read.findings == {"renamed_columns": 2}
    assert read.raw.findings[0].examples == ("a", "(blank)")


def zipped(*files: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(PLAIN.encode(), mtime=0), "t.csv.gz"),
        (gzip.compress(PLAIN.encode(), mtime=0), "t.csv"),
        (zipped(("t.csv", PLAIN.encode())), "t.zip"),
        (zipped(("t.csv", PLAIN.encode()), ("__MACOSX/._t.csv", b"x")), "t.zip"),
        (zipped(("t.csv", PLAIN.encode()), how=zipfile.ZIP_LZMA), "t.zip"),
        (gzip.compress(PLAIN.encode("utf-16"), mtime=0), "t.gz"),
    ],
)
def test_archives_are_unpacked_by_what_they_are_not_by_their_name(tmp_path: Path, data: bytes, name: str) -> None:
    assert ingest_csv(data, tmp_path, name=name).rows == ROWS


def test_a_small_archive_can_t_fill_the_memory(tmp_path: Path) -> None:
    bomb = zipped(("t.csv", b"a" * (257 << 20)), how=zipfile.ZIP_BZIP2)
    assert len(bomb) < 1 << 20
    with pytest.raises(SourceError, match="unpacks to more than 256 MiB"):
        ingest_csv(bomb, tmp_path)


GZ = gzip.compress(b"a,b\n1,2\n" * 2_000, mtime=0)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "The file is empty"),
        (b"\n\n \n", "The file has no rows"),
        (gzip.compress(b"", mtime=0), "The file has no rows"),
        (b"a,b\n", "The file has a header and no rows"),
        (b"a\n1\n2\n", "The file has one column"),
        (b"text\nhello, world\nplain\nwords\n", "The file has one column"),
        (bytes(range(256)) * 8, "The file is binary"),
        (b"a,b\n1,\x002\n", "The file is binary"),
        (b"PAR1" + b"x" * 100, "is a Parquet file"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"\x89PNG\r\n", "is a picture"),
        (b"SQLite format 3\x00", "is an SQLite database"),
        (GZ[:-20], "The archive is damaged"),
        (GZ[:40] + b"\x00" * 20 + GZ[60:], "The archive is damaged"),
        (b"PK\x03\x04" + b"x" * 50, "The archive is damaged"),
        (zipped(("a.csv", b"a,b\n1,2\n"), ("b.csv", b"")), "The archive holds 2 files"),
        (zipped(), "binary"),
        (zipped(("xl/workbook.xml", b"x")), "is an Excel workbook"),
        (bz2.compress(PLAIN.encode()), "binary|one column|no rows"),
        (b"a,b\n1,2,3\n4,5,6\n", "No row fits the header"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(tmp_path: Path, data: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told) as refused:
        ingest_csv(data, tmp_path)
    assert refused.value.exit_code == 2
    assert refused.value.where == str(tmp_path / "t.csv")
    assert refused.value.remedy


def test_a_damaged_archive_is_refused_with_a_stated_encoding_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="The archive is damaged"):
        ingest_csv(GZ[:-20], tmp_path, encoding="utf-8")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("t.csv", PLAIN.encode())))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(SourceError, match="encrypted"):
        ingest_csv(bytes(data), tmp_path)


def test_an_archive_packed_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(("t.csv", PLAIN.encode())))
    data[8] = 9
    data[data.index(b"PK\x01\x02") + 10] = 9
    with pytest.raises(SourceError, match="packed in a way that can't be read"):
        ingest_csv(bytes(data), tmp_path)


def test_a_missing_file_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(PLAIN)
    with pytest.raises(SourceError, match=r"There is no such file\. Did you mean 'churn\.csv'"):
        Csv(path=str(tmp_path / "chrun.csv")).open("all")
    with pytest.raises(SourceError, match="no such file"):
        Csv(path=str(tmp_path / "nowhere" / "a.csv")).digest("all")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="The source is a folder"):
        Csv(path=str(tmp_path)).open("all")


def test_a_stated_encoding_that_the_file_has_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="The file is not utf-16: UTF-16 stream does not start with BOM"):
        ingest_csv(PLAIN, tmp_path, encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_binary_file_is_refused_with_a_stated_encoding_too(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(SourceError, match="holds NUL characters"):
        ingest_csv(PLAIN.encode("utf-16"), tmp_path, encoding=encoding)


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    for encoding in ("utf-99", "base64"):
        with pytest.raises(SourceError, match=f"Unknown encoding '{encoding}'"):
            ingest_csv(PLAIN, tmp_path, encoding=encoding)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"separator": "ab"}, "at most 1 character"),
        ({"separator": ""}, "at least 1 character"),
        ({"separator": "§"}, "one ASCII character"),
        ({"separator": "\n"}, "no line end"),
        ({"quote": "ab"}, "A quote is one ASCII character"),
        ({"quote": "“"}, "A quote is one ASCII character"),
        ({"separator": "'", "quote": "'"}, "the same character"),
        ({"seperator": ";"}, "Extra inputs"),
    ],
)
def test_an_impossible_dialect_is_refused(options: dict, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Csv(path="a.csv", **options)


def test_a_row_longer_than_a_block_is_read_and_no_row_comes_twice(tmp_path: Path) -> None:
    long = "x" * (5 << 20)
    rows = [f"{i},{long if i == 70_000 else 'y' * 100}" for i in range(100_000)]
    (tmp_path / "t.csv").write_text("i,text\n" + "\n".join(rows) + "\n")
    reading = Csv(path=str(tmp_path / "t.csv")).open("all")
    for _ in range(2):
        numbers = pa.chunked_array([batch.column(0).dictionary_decode() for batch in reading.batches()])
        assert numbers.to_pylist() == [str(i) for i in range(100_000)]


def test_a_header_longer_than_the_first_look_is_read_whole(tmp_path: Path) -> None:
    names = [f"a_rather_long_name_of_column_{i}" for i in range(12_000)]
    path = tmp_path / "wide.csv"
    path.write_text(",".join(names) + "\n" + ",".join(["1"] * 12_000) + "\n")
    assert path.stat().st_size > 1 << 18
    reading = Csv(path=str(path)).open("all")
    assert reading.columns == tuple(names)


def test_files_that_land_are_listed_by_name_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.csv", "a.tsv", "c.csv.gz", ".hidden.csv", "notes.txt"):
        (tmp_path / name).write_text(PLAIN)
    source = Csv(path=str(tmp_path))
    assert source.landed(None) == ["a.tsv", "b.csv", "c.csv.gz"]
    assert source.landed("*.txt") == ["notes.txt"]
    assert source.open("b.csv").columns == ("name", "age")
    with pytest.raises(SourceError, match="not there"):
        Csv(path=str(tmp_path / "nowhere")).landed(None)


cell = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(cell, st.integers(-(10**6), 10**6)), min_size=1, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_quoted_table_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], separator: str, encoding: str
) -> None:
    def quoted(value: object) -> str:
        return '"' + str(value).replace('"', '""') + '"'

    lines = [separator.join(map(quoted, row)) for row in [("note", "count"), *rows]]
    folder = tmp_path_factory.mktemp("csv")
    read = ingest_csv("\n".join(lines).encode(encoding), folder, header=True, missing_tokens=[], separator=separator)
    assert read.raw.table.rows == len(rows)
    assert read.rows["count"] == [count for _, count in rows]
    if read.types["note"] == "text":
        assert read.rows["note"] == [note if note.strip() else None for note, _ in rows]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text("ab1,;\"'\n\r\t|. ", max_size=120).map(str.encode))
def test_any_bytes_are_a_table_or_a_readable_refusal(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("csv")
    try:
        read = ingest_csv(data, folder)
    except SourceError:
        return
    assert read.raw.table.rows >= 1
    assert len(read.rows) >= 2


@pytest.mark.parametrize(
    ("file", "rows", "columns", "separator", "header", "encoding"),
    [
        ("telco_churn/Telco-Customer-Churn.csv.gz", 7_043, 21, ",", True, "utf-8"),
        ("bank_marketing/bank-additional-full.csv.gz", 41_188, 21, ";", True, "utf-8"),
        ("superstore/Sample - Superstore.csv.gz", 9_994, 21, ",", True, "utf-8-sig"),
        ("adult_raw/adult-train.csv.gz", 32_561, 15, ",", False, "utf-8"),
        ("sms_spam/sms.tsv.gz", 5_572, 2, "\t", False, "utf-8"),
        ("movielens_100k/u.item", 1_682, 24, "|", False, "cp1252"),
        ("imdb_2k/IMDB_Dataset_sample_2k.csv.gz", 2_000, 2, ",", True, "utf-8"),
    ],
)
def test_real_tables_are_read_whole(
    file: str, rows: int, columns: int, separator: str, header: bool, encoding: str
) -> None:
    reading = Csv(path=str(shared_file(file))).open("all")
    assert sum(batch.num_rows for batch in reading.batches()) == rows
    assert len(reading.columns) == columns
    assert reading.dialect is not None
    assert (reading.dialect.separator, reading.dialect.header) == (separator, header)
    assert reading.dialect.encoding == encoding
