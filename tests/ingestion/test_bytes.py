"""Decompression under a cap, and text in any encoding as UTF-8."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import SourceError
from automl_assets.ingestion.bytes import CappedReader, Encoding, Utf8Stream, detect_encoding, read_head


def capped(data: bytes, cap: int) -> io.BufferedReader:
    return io.BufferedReader(CappedReader(io.BytesIO(data), where=Path("a.gz"), compressed_bytes=1, cap=cap))


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_what_stays_below_the_cap_is_read_whole(size: int) -> None:
    assert capped(b"x" * size, 100).read() == b"x" * size


@pytest.mark.parametrize("size", [101, 5_000])
def test_one_byte_above_the_cap_is_too_much(size: int) -> None:
    with pytest.raises(SourceError, match="unpacks to more than") as refused:
        capped(b"x" * size, 100).read()
    assert refused.value.where == "a.gz"


def test_a_file_that_is_packed_less_tightly_may_be_larger() -> None:
    with io.BufferedReader(
        CappedReader(io.BytesIO(b"x" * 2_000), where=Path("a.gz"), compressed_bytes=1_000_000, cap=1 << 40)
    ) as stream:
        assert len(stream.read()) == 2_000


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["utf-8", "utf-16", "utf-8-sig", "utf-32"]))
def test_text_in_any_unicode_encoding_becomes_utf_8(text: str, encoding: str) -> None:
    stream = Utf8Stream(io.BytesIO(text.encode(encoding)), Encoding(encoding))
    assert io.BufferedReader(stream, buffer_size=16).read().decode() == text
    assert stream.replaced == text.count("\ufffd")


@pytest.mark.parametrize(("data", "replaced"), [(b"abc", 0), (b"a\xffb", 1), (b"a\xff\xfeb\xc3", 3)])
def test_what_fits_no_character_is_counted(data: bytes, replaced: int) -> None:
    stream = Utf8Stream(io.BytesIO(data), Encoding("utf-8"))
    assert io.BufferedReader(stream).read().decode().count("\ufffd") == replaced
    assert stream.replaced == replaced


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain", Encoding("utf-8")),
        ("żółw".encode(), Encoding("utf-8")),
        ("żółw".encode() + b"\xff", Encoding("utf-8", replaces=True)),
        (b"x\xff\xff\xff", Encoding("cp1252")),
        (b"x\xc3", Encoding("cp1252")),
        (b"x\x81\xff", Encoding("latin-1")),
        (b"\xef\xbb\xbfx", Encoding("utf-8-sig")),
        (b"\xef\xbb\xbfx\xff", Encoding("utf-8-sig", replaces=True)),
        (b"\xff\xfex\x00", Encoding("utf-16")),
        (b"\xfe\xff\x00x", Encoding("utf-16")),
        (b"\xff\xfe\x00\x00x\x00\x00\x00", Encoding("utf-32")),
    ],
)
def test_an_encoding_is_recognised_by_its_bytes(tmp_path: Path, data: bytes, encoding: Encoding) -> None:
    (tmp_path / "f").write_bytes(data)
    assert detect_encoding(tmp_path / "f") == encoding


def test_a_character_cut_by_the_end_of_a_piece_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * ((1 << 20) - 1) + "é".encode() + b"y")
    assert detect_encoding(tmp_path / "f") == Encoding("utf-8")


def test_the_head_ends_with_a_whole_line_where_there_is_more(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("row\n" * 100_000)
    head = read_head(tmp_path / "f", Encoding("utf-8"))
    assert head == "row\n" * (2**18 // 4)
    (tmp_path / "g").write_text("no end")
    assert read_head(tmp_path / "g", Encoding("utf-8")) == "no end"


def test_the_head_grows_until_it_holds_some_lines(tmp_path: Path) -> None:
    line = "x" * 300_000 + "\n"
    (tmp_path / "f").write_text(line * 8)
    head = read_head(tmp_path / "f", Encoding("utf-8"))
    assert head.count("\n") >= 3
    assert head == line * head.count("\n")
