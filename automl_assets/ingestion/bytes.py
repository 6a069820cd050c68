"""From a file to a stream of UTF-8: decompressed under a cap, decoded, and what could not be decoded counted."""

import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from automl_assets.core.errors import SourceError

PIECE = 1 << 20
DECOMPRESSED_CAP_BYTES = 64 << 30
COMPRESSION_RATIO_CAP = 1_000
RATIO_COUNTS_FROM_BYTES = 256 << 20
HEAD_BYTES = 1 << 18
LONGEST_HEAD_BYTES = 16 << 20
HEAD_LINES = 3
UNDECODED = re.compile("[\udc80-\udcff]")
BEYOND_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
OTHER_FORMATS = {
    b"PAR1": ("a Parquet file", "Use source type parquet."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV."),
    b"%PDF": ("a PDF", "Export the table as CSV."),
    b"SQLite format 3": ("an SQLite database", "Export the table as CSV."),
    b"ARROW1": ("an Arrow file", "Save the table as Parquet."),
    b"\x89PNG": ("a picture", "Name a table."),
    b"\x7fELF": ("a program", "Name a table."),
}


@dataclass(frozen=True)
class Encoding:
    """How bytes become text. `replaces` when some bytes fit no character and become U+FFFD."""

    name: str
    replaces: bool = False


class CappedReader(io.RawIOBase):
    """Reads at most a cap of decompressed bytes, so that a small file can't fill the disk or the memory."""

    def __init__(
        self,
        stream: IO[bytes] | gzip.GzipFile,
        *,
        where: Path,
        compressed_bytes: int,
        cap: int = DECOMPRESSED_CAP_BYTES,
    ):
        self._stream = stream
        self._where = where
        self._most = min(cap, max(RATIO_COUNTS_FROM_BYTES, compressed_bytes * COMPRESSION_RATIO_CAP))
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        piece = self._stream.read(len(buffer))
        self._read += len(piece)
        if self._read > self._most:
            raise SourceError(
                f"The file unpacks to more than {self._most >> 20:,} MiB.",
                where=str(self._where),
                remedy="Unpack it by hand if that is meant.",
            )
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, gzip and zip unpacked.

    Raises:
        SourceError: the file is empty, of another format, a damaged archive, or an archive of several files.
    """
    size = path.stat().st_size
    if not size:
        raise SourceError("The file is empty.", where=str(path), remedy="Check what wrote it.")
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        if head[:2] == b"\x1f\x8b":
            with _unpacked(gzip.GzipFile(fileobj=file), path, size) as stream:
                yield stream
        elif head[:4] == b"PK\x03\x04":
            with _only_member(path) as member, _unpacked(member, path, size) as stream:
                yield stream
        else:
            refuse_other_formats(head, path)
            yield file


@contextmanager
def _unpacked(stream: IO[bytes] | gzip.GzipFile, path: Path, size: int) -> Iterator[IO[bytes]]:
    """The stream under the cap; damage becomes a SourceError."""
    try:
        with io.BufferedReader(CappedReader(stream, where=path, compressed_bytes=size)) as capped:
            yield capped
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise SourceError(
            f"The archive is damaged: {error}.", where=str(path), remedy="Fetch or pack it again."
        ) from error


def refuse_other_formats(head: bytes, path: Path) -> None:
    """Raise when the first bytes are those of a format that is no delimited text."""
    for magic, (what, remedy) in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise SourceError(f"The file is {what}, not delimited text.", where=str(path), remedy=remedy)


@contextmanager
def _only_member(path: Path) -> Iterator[IO[bytes]]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise SourceError(
            f"The archive is damaged: {error}.", where=str(path), remedy="Fetch or pack it again."
        ) from error
    with archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        if any(name.startswith("xl/") for name in names):
            raise SourceError("The file is an Excel workbook.", where=str(path), remedy="Save the sheet as CSV.")
        if len(names) != 1:
            raise SourceError(
                f"The archive holds {len(names)} files; a table is one.",
                where=str(path),
                remedy="Unpack the one meant.",
            )
        if archive.getinfo(names[0]).flag_bits & 0x1:
            raise SourceError("The archive is encrypted.", where=str(path), remedy="Unpack it by hand.")
        try:
            member = archive.open(names[0])
        except NotImplementedError as error:
            raise SourceError(
                f"The archive is packed in a way that can't be read: {error}.",
                where=str(path),
                remedy="Unpack it by hand.",
            ) from error
        with member:
            yield member


def detect_encoding(path: Path) -> Encoding:
    """The encoding of a text file: a byte-order mark, else UTF-8 when it fits, else Windows-1252 or Latin-1.

    A file whose valid multi-byte UTF-8 characters outnumber its invalid bytes is UTF-8 with damage.

    Raises:
        SourceError: the file holds NUL bytes and no UTF-16 mark: it is binary.
    """
    with open_bytes(path) as stream:
        head = stream.read(4)
        if head.startswith(codecs.BOM_UTF8):
            return Encoding("utf-8-sig", replaces=_counts(path)[1] > 0)
        if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            return Encoding("utf-32")
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return Encoding("utf-16")
    valid, invalid, c1 = _counts(path)
    if not invalid:
        return Encoding("utf-8")
    if valid > invalid:
        return Encoding("utf-8", replaces=True)
    return Encoding("latin-1" if c1 else "cp1252")


def _counts(path: Path) -> tuple[int, int, bool]:
    """Multi-byte characters that are valid UTF-8, bytes that are not, and whether any byte has no Windows-1252 sign."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    valid = invalid = 0
    undefined = False
    with open_bytes(path) as stream:
        ended = False
        while not ended:
            piece = stream.read(PIECE)
            ended = not piece
            if b"\x00" in piece:
                raise SourceError(
                    "The file is binary: it holds NUL bytes.", where=str(path), remedy="Name a delimited text file."
                )
            text = decoder.decode(piece, final=ended)
            if text.isascii():
                continue
            undefined = undefined or any(byte in piece for byte in b"\x81\x8d\x8f\x90\x9d")
            invalid += len(UNDECODED.findall(text))
            valid += len(BEYOND_ASCII.findall(text))
    return valid, invalid, undefined


class Utf8Stream(io.RawIOBase):
    """A byte stream re-encoded to UTF-8; `replaced` counts what became U+FFFD."""

    def __init__(self, stream: IO[bytes], encoding: Encoding):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding.name)(errors="replace")
        self._pending = b""
        self._ended = False
        self.replaced = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        while not self._pending and not self._ended:
            piece = self._stream.read(PIECE)
            self._ended = not piece
            text = self._decoder.decode(piece, final=self._ended)
            self.replaced += text.count("\ufffd")
            self._pending = text.encode("utf-8")
        given = self._pending[: len(buffer)]
        self._pending = self._pending[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def read_head(path: Path, encoding: Encoding) -> str:
    """The first 256 KiB as text, cut after the last whole line where there is more; more where lines are very long."""
    with open_bytes(path) as stream:
        data = stream.read(HEAD_BYTES)
        while data.count(b"\n") < HEAD_LINES and len(data) < LONGEST_HEAD_BYTES and (piece := stream.read(PIECE)):
            data += piece
        more = bool(stream.read(1))
    text = codecs.getincrementaldecoder(encoding.name)(errors="replace").decode(data, final=not more)
    if more and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    return text
