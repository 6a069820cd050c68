"""What a source is: a closed configuration that finds batches and opens one for reading."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from automl_assets.core.errors import SourceError, did_you_mean
from automl_assets.core.values import Dialect, Finding
from automl_assets.ingestion.keys import name_of, natural_order
from automl_assets.ingestion.landing import files_in

if TYPE_CHECKING:
    import pyarrow as pa

    from automl_assets.ingestion.windows import Window

WHOLE = "all"
EMPTY_TABLE = "empty_table"


@dataclass
class Reading(ABC):
    """One opened batch. `batches` may be called more than once and gives the same rows each time.

    A reading is `typed` when its batches carry types of their own (Parquet); otherwise every column holds text.
    `sniffs_missing` is false where the user stated which literals mean missing.
    """

    where: str
    columns: tuple[str, ...]
    typed: bool
    findings: list[Finding] = field(default_factory=list)
    dialect: Dialect | None = None
    sniffs_missing: bool = True

    @abstractmethod
    def batches(self) -> Iterator["pa.RecordBatch"]:
        """The rows in order, in batches that fit in memory."""

    def rejected_lines(self) -> list[str]:
        """Lines that were left out because they don't fit the table; filled by the first full pass."""
        return []


class Source(BaseModel, ABC):
    """A source's configuration; its file's name is its `type` in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default_glob: ClassVar[str] = "*"

    type: Any

    @abstractmethod
    def located(self, folder: Path) -> Self:
        """The same source with relative paths resolved against `folder`, the YAML file's."""

    @abstractmethod
    def digest(self, batch: str) -> str:
        """What identifies a batch's raw bytes; equal bytes, equal digest.

        Raises:
            SourceError: the batch is missing or can't be read.
        """

    @abstractmethod
    def open(self, batch: str) -> Reading:
        """Open one batch.

        Raises:
            SourceError: the batch is missing, empty, binary, or has no rows.
        """

    def stamp(self) -> str | None:
        """What is cheap to ask and changes with the whole table's bytes; None where there is no such thing."""
        return None

    def window_digest(self, window: "Window") -> str | None:
        """What identifies a window's rows without reading them; None where they must be read."""
        return None

    def open_window(self, window: "Window", column: str | None) -> tuple[Reading, bool]:
        """A reading that has all rows of a window by `column`, and whether it has no others.

        Raises:
            SourceError: the source can't be read.
        """
        return self.open(WHOLE), False

    def landed(self, glob: str | None) -> list[str]:
        """The keys of the batches that are there now, in the order of their names.

        Raises:
            SourceError: this source has no notion of files that land.
        """
        raise SourceError(
            f"A {self.type!r} source has no files that land.", remedy="Set batches.kind to none, or use csv or parquet."
        )


class FileSource(Source):
    """A source whose batches are files: `path` is the file, or the folder in which they land."""

    path: str = Field(description="The file; with `batches: {kind: files}`, the folder in which files land.")

    def located(self, folder: Path) -> Self:
        return self.model_copy(update={"path": str((folder / Path(self.path).expanduser()).resolve())})

    def path_of(self, batch: str) -> Path:
        """Where a batch lies, whether it does or not.

        Raises:
            SourceError: the key leads out of the folder.
        """
        name = Path(name_of(batch))
        if name.is_absolute() or ".." in name.parts:
            raise SourceError("A batch is a file in the source's folder.", where=batch, remedy="Correct its key.")
        return Path(self.path) if batch == WHOLE else Path(self.path) / name

    def file(self, batch: str) -> Path:
        """The path of a batch that is there.

        Raises:
            SourceError: there is no such file; a near name is suggested.
        """
        path = self.path_of(batch)
        if path.is_dir():
            raise SourceError(
                "The source is a folder.",
                where=str(path),
                remedy="Name a file, or set batches.kind to files.",
            )
        if not path.is_file():
            raise missing_file(path)
        return path

    def digest(self, batch: str) -> str:
        from automl_assets.core.fingerprint import digest_of_file

        path = self.file(batch)
        try:
            return digest_of_file(path)
        except OSError as error:
            raise unreadable(path, error) from error

    def stamp(self) -> str | None:
        stat = self.file(WHOLE).stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"

    def landed(self, glob: str | None) -> list[str]:
        files = files_in(Path(self.path), glob or self.default_glob)
        return sorted((file.key for file in files), key=natural_order)


def renamed_columns(names: list[str]) -> Finding:
    """A finding for column names that had to change."""
    return Finding(
        code="renamed_columns",
        severity="warning",
        count=len(names),
        examples=tuple(name or "(blank)" for name in names[:5]),
        advice="Blank and repeated column names got a suffix; name them in the file.",
    )


def missing_file(path: Path) -> SourceError:
    """An error for a file that is not there, with the nearest name that is."""
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = did_you_mean(path.name, names)
    hint = f"Did you mean {near!r}? " if near else ""
    return SourceError("There is no such file.", where=str(path), remedy=f"{hint}Check the path.")


def unreadable(path: Path, error: OSError) -> SourceError:
    """An error for a file that the system won't let us read."""
    return SourceError(
        f"The file can't be read: {error.strerror or error}.", where=str(path), remedy="Check its permissions."
    )
