"""The folder in which a pipeline's files land: what lies there, and what is in it."""

import fnmatch
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from automl_assets.core.errors import SourceError
from automl_assets.core.fingerprint import digest_of_file
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.keys import key_of, name_of


class LyingFile(NamedTuple):
    """A file as it lies there; `marked` when its marker does too, or none is asked for."""

    key: str
    size: int
    mtime_ns: int
    marked: bool = True


def files_in(folder: Path, glob: str, marker: str | None = None) -> list[LyingFile]:
    """The files of a folder that `glob` matches, without hidden ones and markers; in no order.

    Raises:
        SourceError: the folder is not there, or can't be read.
    """
    try:
        found = _scanned(folder, glob) if "/" not in glob and "**" not in glob else _globbed(folder, glob)
    except OSError as error:
        raise SourceError(
            "The folder in which files should land is not there."
            if isinstance(error, FileNotFoundError | NotADirectoryError)
            else f"The folder can't be read: {error.strerror or error}.",
            where=str(folder),
            remedy="Create it, or correct source.path.",
        ) from error
    if marker is None:
        return [LyingFile(key_of(name), size, mtime_ns) for name, size, mtime_ns in found]
    is_marker = _marker_pattern(marker)
    return [
        LyingFile(key_of(name), size, mtime_ns, _is_marked(folder / name, marker))
        for name, size, mtime_ns in found
        if not is_marker.fullmatch(name.rpartition("/")[2])
    ]


def _scanned(folder: Path, glob: str) -> list[tuple[str, int, int]]:
    matches = re.compile(fnmatch.translate(glob)).match
    found: list[tuple[str, int, int]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if not name.startswith(".") and matches(name) and entry.is_file():
                stat = entry.stat()
                found.append((name, stat.st_size, stat.st_mtime_ns))
    return found


def _globbed(folder: Path, glob: str) -> list[tuple[str, int, int]]:
    if not folder.is_dir():
        raise FileNotFoundError(str(folder))
    paths = [path for path in folder.glob(glob) if path.is_file() and not path.name.startswith(".")]
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in paths]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def _marker_pattern(marker: str) -> re.Pattern[str]:
    return re.compile(re.escape(marker).replace(r"\{name\}", ".+").replace(r"\{stem\}", ".+"))


def _is_marked(path: Path, marker: str) -> bool:
    stem = Path(path.stem).stem if path.suffix in (".gz", ".zip") else path.stem
    return (path.parent / marker.replace("{name}", path.name).replace("{stem}", stem)).exists()


def listing_digest(files: Sequence[LyingFile]) -> str:
    """What identifies a folder's listing: equal as long as no file appears, changes, or is marked."""
    listed = "\n".join([f"{key}/{size}/{mtime_ns}/{marked}" for key, size, mtime_ns, marked in sorted(files)])
    return hashlib.blake2b(listed.encode(), digest_size=8).hexdigest()


def hash_file(folder: Path, file: LyingFile) -> str | None:
    """The digest of a file's bytes; None when it changed or went away meanwhile.

    Raises:
        OSError: it can't be read.
    """
    path = folder / name_of(file.key)
    try:
        digest = digest_of_file(path)
        stat = path.stat()
    except FileNotFoundError:
        return None
    return digest if (stat.st_size, stat.st_mtime_ns) == (file.size, file.mtime_ns) else None


def where_it_lies(folder: Path, batch: str, known: Mapping[str, LandedBatch]) -> str:
    """The key of the file that holds a batch's content now: its own, or that of the copy that is left of it."""
    row = known.get(batch)
    if row is None or (folder / name_of(batch)).is_file():
        return batch
    copies = (other.key for other in known.values() if other.same_as == batch and other.digest == row.digest)
    return next((key for key in copies if (folder / name_of(key)).is_file()), batch)
