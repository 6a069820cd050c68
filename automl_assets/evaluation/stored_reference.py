"""What a version remembers of its training rows, so that later batches can be compared without them.

    reference.json   roles, labels, windows
    reference.npz    edges and counts of every column, of the whole and of windows of consecutive rows
    sample.parquet   at most 10,000 rows of the numbers and labels that are not private

Windows say how much the reference differs from itself: what a batch of as many rows may do without being news.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from automl_assets.core.errors import StorageError
from automl_assets.core.sketches import NumericSketch, Sketch, sketch_from
from automl_assets.evaluation.columns import count_column
from automl_assets.evaluation.projection import Projection

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT_VERSION = 1
JSON_FILE, ARRAYS_FILE, SAMPLE_FILE = "reference.json", "reference.npz", "sample.parquet"


class Window(NamedTuple):
    """Consecutive rows of the reference, and how many rows a batch has that lasts as long."""

    start: int
    rows: int
    scale: int


@dataclass(frozen=True, eq=False)
class Reference:
    """The stored side of every comparison. `roles` holds the features', and the target's where it was there."""

    rows: int
    roles: Mapping[str, str]
    sketches: Mapping[str, Sketch]
    target: str | None
    private: tuple[str, ...]
    windows: tuple[Window, ...]
    window_counts: "Mapping[str, np.ndarray]"
    sample: "pa.Table"
    projection: Projection | None
    errors: NumericSketch | None

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The columns that a batch is compared on."""
        return tuple(name for name in self.roles if name != self.target)

    def salt(self, name: str) -> str | None:
        """What a private column's labels are hashed with, None for the others."""
        return name if name in self.private else None

    def count(self, name: str, column: "pa.Array") -> Sketch:
        """A sketch of some rows of a column, on the reference's structure."""
        return count_column(self.sketches[name], self.roles[name], column, salt=self.salt(name))

    def against_itself(self, name: str, rows: int) -> Iterator[tuple[Sketch, Sketch]]:
        """Pairs of all rows but a window's, and the window's: at the scale of a batch of `rows` rows.

        The scale is the largest that is not above the batch: a shorter window varies more, so that in doubt more is
        natural. There are no pairs where the reference has fewer than 1,000 rows.
        """
        scales = {window.scale for window in self.windows}
        if not scales:
            return
        scale = max((s for s in scales if s <= rows), default=min(scales))
        whole = self.sketches[name].coarse()
        for position, window in enumerate(self.windows):
            if window.scale == scale:
                part = whole.with_vector(self.window_counts[name][position].astype("int64"))
                yield whole.without(part), part

    def save(self, folder: Path) -> None:
        """Write the three files into an existing folder."""
        import numpy as np
        import pyarrow.parquet as pq

        arrays: dict[str, np.ndarray] = {}
        columns = []
        for number, (name, sketch) in enumerate(self.sketches.items()):
            arrays |= {f"{number}.{key}": array for key, array in sketch.arrays().items()}
            arrays[f"{number}.windows"] = self.window_counts[name]
            columns.append({"name": name, "role": self.roles[name], "sketch": sketch.to_json()})
        document: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "rows": self.rows,
            "target": self.target,
            "private": list(self.private),
            "windows": [list(window) for window in self.windows],
            "columns": columns,
        }
        if self.projection is not None and self.errors is not None:
            document["projection"] = self.projection.to_json()
            document["errors"] = self.errors.to_json()
            arrays |= {f"projection.{key}": array for key, array in self.projection.arrays().items()}
            arrays |= {f"errors.{key}": array for key, array in self.errors.arrays().items()}
        with (folder / ARRAYS_FILE).open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        pq.write_table(self.sample, folder / SAMPLE_FILE, compression="zstd")
        (folder / JSON_FILE).write_text(json.dumps(document))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            StorageError: there is none, or it is of a newer format.
        """
        import numpy as np
        import pyarrow.parquet as pq

        if not (folder / JSON_FILE).is_file():
            raise StorageError(
                "The version has no stored reference.", where=str(folder), remedy="Train a new version with --force."
            )
        document = json.loads((folder / JSON_FILE).read_text())
        if document["format_version"] > FORMAT_VERSION:
            raise StorageError(
                f"The reference is of format {document['format_version']}; this version reads {FORMAT_VERSION}.",
                where=str(folder),
                remedy="Upgrade automl-assets.",
            )
        with np.load(folder / ARRAYS_FILE, allow_pickle=False) as file:
            arrays = _by_prefix({key: file[key] for key in file.files})
        columns = document["columns"]
        projected = "projection" in document
        errors = sketch_from(document["errors"], arrays["errors"]) if projected else None
        return cls(
            rows=document["rows"],
            roles={column["name"]: column["role"] for column in columns},
            sketches={c["name"]: sketch_from(c["sketch"], arrays[str(i)]) for i, c in enumerate(columns)},
            target=document["target"],
            private=tuple(document["private"]),
            windows=tuple(Window(*window) for window in document["windows"]),
            window_counts={column["name"]: arrays[str(i)]["windows"] for i, column in enumerate(columns)},
            sample=pq.read_table(folder / SAMPLE_FILE),
            projection=Projection.from_parts(document["projection"], arrays["projection"]) if projected else None,
            errors=errors if isinstance(errors, NumericSketch) else None,
        )


def _by_prefix(arrays: "Mapping[str, np.ndarray]") -> "dict[str, dict[str, np.ndarray]]":
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        prefix, _, name = key.partition(".")
        found.setdefault(prefix, {})[name] = array
    return found
