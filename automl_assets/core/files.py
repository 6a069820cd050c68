"""Files that are whole or absent, whatever kills the writer."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"


@contextmanager
def partial_file(folder: Path) -> Iterator[Path]:
    """A temporary path in `folder`, gone afterwards unless `commit` gave it its name."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PARTIAL}{uuid.uuid4().hex}"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def commit(partial: Path, path: Path) -> None:
    """Flush a finished file to disk and give it its name."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path that becomes `path` on success and is removed on failure."""
    with partial_file(path.parent) as partial:
        yield partial
        commit(partial, path)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder. A folder already at `path` stays as it is: its name is its content's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{PARTIAL}{uuid.uuid4().hex}"
    partial.mkdir()
    try:
        yield partial
        if not path.exists():
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Replace a file's text atomically."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def remove_partials(folder: Path) -> int:
    """Delete what killed writers left below `folder`; the number of leftovers. Call it as the only writer."""
    leftovers = list(folder.rglob(f"{PARTIAL}*")) if folder.is_dir() else []
    for leftover in leftovers:
        shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    return len(leftovers)


def folder_size(folder: Path) -> int:
    """The bytes of all files below `folder`."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
