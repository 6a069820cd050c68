"""What a sink is: a closed configuration that takes one batch's predictions, as often as they are given to it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pydantic import Field

from automl_assets.core.config import Section
from automl_assets.core.errors import StorageError
from automl_assets.core.files import atomic_file, remove_partials
from automl_assets.core.fingerprint import digest_of

if TYPE_CHECKING:
    import pyarrow.dataset as ds

MOST_NAME_CHARACTERS = 200


@dataclass(frozen=True)
class SinkReceipt:
    """How many rows lie in the sink now, and where; `where` holds no secret."""

    rows: int
    where: str


class Sink(Section, ABC):
    """A sink's configuration; its file's name is its `type` in YAML.

    Writing the same predictions twice leaves the same rows, and a killed write leaves the old rows or the new ones.
    """

    type: Any

    @abstractmethod
    def write(self, dataset: "ds.Dataset", *, pipeline: str, batch: str, version: str) -> SinkReceipt:
        """Put a batch's predictions (serving/predict.py names their columns) where they belong.

        Raises:
            StorageError: the sink can't be reached, or does not take them; it is named, and no cell is.
        """

    def located(self, folder: Path) -> Self:
        """The same sink with relative paths resolved against `folder`, the YAML file's."""
        del folder
        return self


class FileSink(Sink):
    """A sink that keeps a file a batch: ``<path>/<pipeline>/<batch>.<type>``, replaced as a whole."""

    path: str = Field(description="The folder; each pipeline gets a folder of its own in it.")

    def located(self, folder: Path) -> Self:
        return self.model_copy(update={"path": str((folder / Path(self.path).expanduser()).resolve())})

    def file(self, pipeline: str, batch: str) -> Path:
        """Where a batch's predictions lie."""
        return Path(self.path) / pipeline / f"{file_name(batch)}.{self.type}"

    @contextmanager
    def _replaced(self, pipeline: str, batch: str) -> Iterator[Path]:
        """A path to write to, which takes the batch's place once it is whole; what killed writers left is removed."""
        path = self.file(pipeline, batch)
        try:
            remove_partials(path.parent)
            with atomic_file(path) as partial:
                yield partial
        except OSError as error:
            raise StorageError(
                f"The sink {self.type!r} can't write its file: {error.strerror or type(error).__name__}.",
                where=str(path),
                remedy="Check predictions.sink.path, its permissions and the space that is left; then run again.",
            ) from error


def file_name(batch: str) -> str:
    """A batch's key as one path component: no key becomes a path, and no two keys one name."""
    name = quote(batch, safe="")
    name = name if name.strip(".") else name.replace(".", "%2E")
    return name if len(name) <= MOST_NAME_CHARACTERS else f"{name[:MOST_NAME_CHARACTERS]}-{digest_of(batch)}"
