"""Delimited text: CSV, TSV and their cousins, plain, gzipped or zipped, read with bounded memory."""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from automl_assets.core.errors import SourceError
from automl_assets.core.values import Dialect, Finding
from automl_assets.ingestion.bytes import Encoding, Utf8Stream, detect_encoding, open_bytes, read_head
from automl_assets.ingestion.sniff import rows_of, sniff_header, sniff_quote, sniff_separator, unique_names
from automl_assets.ingestion.sources._base import EMPTY_TABLE, FileSource, Reading, renamed_columns, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 4 << 20
LONGEST_ROW_BYTES = 256 << 20
MOST_REJECTED_KEPT = 10_000


class Csv(FileSource):
    """A delimited text file. Everything about its dialect is sniffed; what is stated here is believed instead."""

    default_glob = "*.[ct]sv*"

    type: Literal["csv"] = "csv"
    separator: str | None = Field(
        default=None, min_length=1, max_length=1, description="One character; sniffed by default."
    )
    encoding: str | None = Field(default=None, description="A Python codec's name; sniffed by default.")
    quote: str | None = Field(default="auto", description="The quoting character, null for none; sniffed by default.")
    header: bool | None = Field(
        default=None, description="Whether the first row names the columns; sniffed by default."
    )
    missing_tokens: list[str] | None = Field(
        default=None, description="Cells that mean missing, in every column; sniffed by default. Blank cells always do."
    )

    @field_validator("separator")
    @classmethod
    def _splits(cls, value: str | None) -> str | None:
        if value is not None and (not value.isascii() or value in "\r\n\0"):
            raise ValueError("A separator is one ASCII character, and no line end.")
        return value

    @field_validator("quote")
    @classmethod
    def _quotes(cls, value: str | None) -> str | None:
        if value not in (None, "", "auto") and (len(value) > 1 or not value.isascii() or value in "\r\n\0"):
            raise ValueError("A quote is one ASCII character; write null for none.")
        return value or None

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.separator is not None and self.separator == self.quote:
            raise ValueError("separator and quote are the same character.")
        return self

    def open(self, batch: str) -> "DelimitedReading":
        path = self.file(batch)
        try:
            return self._open(path)
        except OSError as error:
            raise unreadable(path, error) from error
        except UnicodeError as error:
            raise SourceError(
                f"The file is not {self.encoding}: {error}.", where=str(path), remedy="Correct source.encoding."
            ) from error

    def _open(self, path: Path) -> "DelimitedReading":
        encoding = self._encoding(path)
        head = read_head(path, encoding)
        if "\0" in head:
            raise SourceError(
                f"The file holds NUL characters when read as {encoding.name}.",
                where=str(path),
                remedy="Correct source.encoding.",
            )
        quote = sniff_quote(head) if self.quote == "auto" else self.quote
        separator = self.separator or sniff_separator(head, quote)
        if separator is None or not head.strip():
            raise SourceError(
                "The file has no rows." if not head.strip() else "The file has one column: no separator was found.",
                where=str(path),
                remedy="State source.separator if it is an unusual one.",
            )
        quote = None if quote == separator else quote
        rows = rows_of(head, separator, quote)
        header = sniff_header(rows) if self.header is None else self.header
        if header and len(rows) < 2:
            raise SourceError(
                "The file has a header and no rows.", where=str(path), remedy="Check what wrote it.", code=EMPTY_TABLE
            )
        names, renamed = unique_names(rows[0]) if header else ([f"col_{i}" for i in range(_width(rows))], [])
        if len(names) < 2:
            raise SourceError(
                "The file has one column, so nothing can be predicted from it.",
                where=str(path),
                remedy="State source.separator if it has more.",
            )
        dialect = Dialect(
            encoding=encoding.name,
            separator=separator,
            quote=quote,
            header=header,
            missing_tokens=tuple(self.missing_tokens or ()),
        )
        reading = DelimitedReading(
            where=str(path),
            columns=tuple(names),
            typed=False,
            dialect=dialect,
            sniffs_missing=self.missing_tokens is None,
            path=path,
            decoding=encoding,
            blank_lines=_blank_lines(head),
        )
        if renamed:
            reading.findings.append(renamed_columns(renamed))
        return reading

    def _encoding(self, path: Path) -> Encoding:
        if self.encoding is None:
            return detect_encoding(path)
        try:
            "".encode(self.encoding)
            if codecs.lookup(self.encoding).name == "utf-8":
                return Encoding("utf-8-sig", replaces=True)
        except LookupError as error:
            raise SourceError(
                f"Unknown encoding {self.encoding!r}.", where=str(path), remedy="Use utf-8, cp1252, latin-1 or utf-16."
            ) from error
        return Encoding(self.encoding, replaces=True)


def _width(rows: list[list[str]]) -> int:
    """The most common number of fields."""
    counts = [len(row) for row in rows]
    return max(set(counts), key=lambda n: (counts.count(n), n))


def _blank_lines(head: str) -> int:
    """How many empty lines stand above the first row."""
    lines = head.splitlines()
    return next((i for i, line in enumerate(lines) if line), len(lines))


@dataclass
class DelimitedReading(Reading):
    """An opened delimited file: batches of dictionary-encoded text."""

    path: Path = Path()
    decoding: Encoding = field(default_factory=lambda: Encoding("utf-8"))
    blank_lines: int = 0

    def __post_init__(self) -> None:
        self._rejected: list[str] = []
        self._counted = False

    def rejected_lines(self) -> list[str]:
        return self._rejected

    def batches(self) -> Iterator["pa.RecordBatch"]:
        import pyarrow as pa

        block = BLOCK_BYTES
        given = 0
        while True:
            try:
                skip = given
                for batch in self._pass(block):
                    if skip >= batch.num_rows:
                        skip -= batch.num_rows
                        continue
                    piece = batch.slice(skip)
                    skip = 0
                    given += piece.num_rows
                    yield piece
                return
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error) or block >= LONGEST_ROW_BYTES:
                    raise SourceError(
                        f"The file can't be read as delimited text: {_first_line(error)}.",
                        where=self.where,
                        remedy="Check source.separator and source.quote.",
                    ) from error
                block *= 8

    def _pass(self, block_bytes: int) -> Iterator["pa.RecordBatch"]:
        """One pass over the file. The first complete one records rejected rows and undecodable bytes as findings."""
        import pyarrow as pa
        import pyarrow.csv as pc

        assert self.dialect is not None
        rejected: list[tuple[int, int, str]] = []

        def reject(row: Any) -> str:
            rejected.append(
                (row.expected_columns, row.actual_columns, row.text if len(rejected) < MOST_REJECTED_KEPT else "")
            )
            return "skip"

        text = pa.dictionary(pa.int32(), pa.string())
        with self._utf8() as (stream, source):
            reader = pc.open_csv(
                stream,
                read_options=pc.ReadOptions(
                    column_names=list(self.columns),
                    skip_rows=self.blank_lines,
                    skip_rows_after_names=int(self.dialect.header),
                    block_size=block_bytes,
                ),
                parse_options=pc.ParseOptions(
                    delimiter=self.dialect.separator,
                    quote_char=self.dialect.quote or False,
                    newlines_in_values=self.dialect.quote is not None,
                    invalid_row_handler=reject,
                ),
                convert_options=pc.ConvertOptions(
                    column_types=dict.fromkeys(self.columns, text), strings_can_be_null=False, check_utf8=False
                ),
            )
            yield from reader
        if not self._counted:
            self._counted = True
            self._note(rejected, source.replaced if isinstance(source, Utf8Stream) else 0)

    @contextmanager
    def _utf8(self) -> Iterator[tuple[Any, Any]]:
        """A stream of UTF-8 for the parser, and the object that counts replacements, if any."""
        with open_bytes(self.path) as stream:
            if self.decoding == Encoding("utf-8"):
                yield stream, None
            else:
                decoded = Utf8Stream(stream, self.decoding)
                with io.BufferedReader(decoded, buffer_size=1 << 20) as buffered:
                    yield buffered, decoded

    def _note(self, rejected: list[tuple[int, int, str]], replaced: int) -> None:
        if rejected:
            self._rejected = [text for _, _, text in rejected[:MOST_REJECTED_KEPT]]
            self.findings.append(
                Finding(
                    code="ragged_rows",
                    severity="warning",
                    count=len(rejected),
                    examples=tuple(f"{actual} fields, not {expected}" for expected, actual, _ in rejected[:3]),
                    advice="These rows were left out and kept aside; mend them in the file, or state the separator.",
                )
            )
        if replaced:
            self.findings.append(
                Finding(
                    code="undecodable_bytes",
                    severity="warning",
                    count=replaced,
                    advice=f"They fit no character of {self.decoding.name} and became \ufffd; state source.encoding.",
                )
            )
        elif self.decoding.name in ("cp1252", "latin-1"):
            self.findings.append(
                Finding(
                    code="legacy_encoding",
                    severity="info",
                    advice=f"Not UTF-8: it was read as {self.decoding.name}. State source.encoding if that is wrong.",
                )
            )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")[:200]
