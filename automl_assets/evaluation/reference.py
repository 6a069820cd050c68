"""Making a version's reference from its training rows: a pass that learns edges and labels, a pass that counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl_assets.core.files import folder_size
from automl_assets.core.sketches import NumericSketch, Sketch, edges_of
from automl_assets.core.tables import iterate, open_files
from automl_assets.evaluation.columns import (
    SKETCHED_ROLES,
    Part,
    Structure,
    add_parts,
    chosen_rows,
    count_column,
    sample_rows,
)
from automl_assets.evaluation.projection import Projection
from automl_assets.evaluation.stored_reference import Reference, Window

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_EDGE_ROWS = 200_000
MOST_SAMPLE_ROWS = 10_000
LEAST_WINDOW_ROWS = 500
WINDOW_GROWTH = 4
MOST_WINDOWS = 128
LEAST_APART = 2
OVERLAP = 4
MOST_OVERLAPPING_ROWS = 1_000_000

__all__ = ["Reference", "build_reference", "reference_of", "windows_of", "write_reference"]


def build_reference(
    train: "ds.Dataset",
    roles: Mapping[str, str],
    folder: Path,
    *,
    target: str | None = None,
    classes: Sequence[str] = (),
    private: Sequence[str] = (),
    share: float = 1.0,
    seed: int = 0,
) -> None:
    """Write the reference of a version into `folder`.

    Args:
        train: the clean training rows, in their order of arrival; streamed twice, in constant memory.
        roles: the features' and their roles.
        target: compared too where the table holds it; as labels where there are classes, else as numbers.
        private: their labels are stored as hashes, their numbers to two digits, and no row of them is kept.
        share: which part of all rows of their time `train` holds, 0 to 1; the others are the holdout.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reference_of(train, roles, target=target, classes=classes, private=private, share=share, seed=seed).save(folder)


def write_reference(
    train: list[str],
    folder: str,
    *,
    roles: dict[str, str],
    target: str | None = None,
    classes: list[str] | None = None,
    private: list[str] | None = None,
    share: float = 1.0,
    seed: int = 0,
) -> dict[str, int]:
    """`build_reference` for a child process, from Parquet files; the bytes that it wrote."""
    dataset = open_files(train)
    build_reference(
        dataset,
        roles,
        Path(folder),
        target=target,
        classes=classes or (),
        private=private or (),
        share=share,
        seed=seed,
    )
    return {"size_bytes": folder_size(Path(folder))}


def reference_of(
    train: "ds.Dataset",
    roles: Mapping[str, str],
    *,
    target: str | None = None,
    classes: Sequence[str] = (),
    private: Sequence[str] = (),
    share: float = 1.0,
    seed: int = 0,
) -> Reference:
    """The same in memory; see `build_reference`."""
    known = set(train.schema.names)
    kept = {name: role for name, role in roles.items() if name in known and role in SKETCHED_ROLES}
    if target in known and target is not None:
        kept[target] = "categorical" if classes else "numeric"
    rows = train.count_rows()
    structures = _learn(train, kept, set(private), rows, seed)
    windows = windows_of(rows, share)
    sketches, counts = _count(train, structures, windows)
    plain = [n for n, r in kept.items() if r in ("numeric", "categorical") and n not in private and n != target]
    sample = sample_rows(train, plain, seed, MOST_SAMPLE_ROWS)
    projection, errors = _project(sample, kept)
    return Reference(
        rows=rows,
        roles=kept,
        sketches=sketches,
        target=target if target in kept else None,
        private=tuple(name for name in private if name in kept),
        windows=windows,
        window_counts=counts,
        sample=sample,
        projection=projection,
        errors=errors,
    )


def windows_of(rows: int, share: float = 1.0) -> tuple[Window, ...]:
    """Up to 128 windows a scale, which may overlap: for batches of 500 rows, of four times as many, … up to half.

    Each lies anywhere in its part of the rows: at equal distances they might all meet a season in the same phase.

    Args:
        share: which part of the rows of their time these are: a batch of 500 lasts as long as 500 × share of them.
    """
    return tuple(
        Window(part.start, part.stop - part.start, scale)
        for scale in scales_of(round(rows / share))
        for part in windows_within(rows, max(1, round(scale * share)), seed=scale)
    )


def scales_of(rows: int) -> tuple[int, ...]:
    """How many rows the batches have that so many rows can tell what is natural for: 500, 2,000, … up to half."""
    found: list[int] = []
    scale = LEAST_WINDOW_ROWS
    while rows // scale >= LEAST_APART:
        found.append(scale)
        scale *= WINDOW_GROWTH
    return tuple(found)


def windows_within(rows: int, length: int, seed: int = 0) -> list[slice]:
    """Up to 128 stretches of consecutive rows, each anywhere in its part of all.

    Where there are few rows they overlap: four times as many as lie apart meet more of a season's phases.
    """
    import numpy as np

    apart = rows // length
    count = min(MOST_WINDOWS, max(apart, min(OVERLAP * apart, MOST_OVERLAPPING_ROWS // length)))
    edges = np.linspace(0, rows - length + 1, count + 1)
    places = edges[:-1] + np.diff(edges) * np.random.default_rng(seed).random(count)
    return [slice(int(start), int(start) + length) for start in places]


def stretches(rows: int, length: int, most: int, seed: int = 0) -> list[slice]:
    """At most so many stretches of consecutive rows, apart, each anywhere in its part of the rows."""
    import numpy as np

    count = min(most, rows // length)
    edges = np.linspace(0, rows, count + 1).astype(np.int64)
    room = np.diff(edges) - length + 1
    starts = edges[:-1] + (room * np.random.default_rng(seed).random(count)).astype(np.int64)
    return [slice(int(start), int(start) + length) for start in starts]


def _learn(
    train: "ds.Dataset", roles: Mapping[str, str], private: set[str], rows: int, seed: int
) -> dict[str, Structure]:
    structures = {name: Structure(name, role, name in private) for name, role in roles.items()}
    chosen = chosen_rows(rows, MOST_EDGE_ROWS, seed)
    start = 0
    for batch in iterate(train, list(roles)):
        mask = chosen[start : start + batch.num_rows]
        start += batch.num_rows
        for name, structure in structures.items():
            structure.learn(batch.column(name), mask)
    return structures


def _count(
    train: "ds.Dataset", structures: Mapping[str, Structure], windows: Sequence[Window]
) -> "tuple[dict[str, Sketch], dict[str, np.ndarray]]":
    """The whole's sketches, and for each column a matrix of the windows' coarse counts."""
    import numpy as np

    empty = {name: structure.sketch() for name, structure in structures.items()}
    small = {name: sketch.coarse() for name, sketch in empty.items()}
    whole = dict(empty)
    parts = {name: np.zeros((len(windows), len(small[name].vector)), dtype=np.int32) for name in whole}
    start = 0
    for batch in iterate(train, list(structures)):
        slices = _overlaps(windows, start, batch.num_rows)
        start += batch.num_rows
        for name, s in structures.items():
            column = batch.column(name)
            whole[name] = whole[name].merge(count_column(empty[name], s.role, column, salt=s.salt))
            if slices:
                add_parts(parts[name], small[name], s.role, column, slices, salt=s.salt)
    return {name: _unexposed(sketch, structures[name]) for name, sketch in whole.items()}, parts


def _unexposed(sketch: Sketch, structure: Structure) -> Sketch:
    """A private column's range as its rounded edges say it."""
    if not structure.private or not isinstance(sketch, NumericSketch) or not len(sketch.edges):
        return sketch
    low, high = float(sketch.edges[0]), float(sketch.edges[-1])
    return replace(sketch, moments=replace(sketch.moments, minimum=low, maximum=high))


def _overlaps(windows: Sequence[Window], start: int, rows: int) -> list[Part]:
    """Which windows rows start … start + rows - 1 belong to: (the window's position, offset, length)."""
    found = []
    for position, window in enumerate(windows):
        low, high = max(start, window.start), min(start + rows, window.start + window.rows)
        if low < high:
            found.append((position, low - start, high - low))
    return found


def _project(sample: "pa.Table", roles: Mapping[str, str]) -> tuple[Projection | None, NumericSketch | None]:
    """The components of every other sampled row, and the errors of the rows between."""
    import numpy as np
    import pyarrow as pa

    even = np.arange(sample.num_rows) % 2 == 0
    projection = Projection.fit(sample.filter(pa.array(even)), roles) if sample.num_columns else None
    if projection is None:
        return None, None
    errors = projection.errors(sample.filter(pa.array(~even)))
    return projection, NumericSketch.on(edges_of(errors)).count(errors)
