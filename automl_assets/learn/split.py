"""Which rows judge and which rows teach: the holdout rule, drawn once and kept, and the folds inside the rest.

A row's hash depends on its values alone: not on row order, column order, process or library version, and an integer
column that widens to numbers keeps its hashes. Equal rows have equal hashes, so duplicates stay together.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl_assets.core.tables import iterate
from automl_assets.core.values import HoldoutRule

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

MOST_HOLDOUT_ROWS = 50_000
QUANTILE_STRATA = 10
SMALL_STRATUM = 200
FOLDS = 5
_GAMMA = 0x9E3779B97F4A7C15


def _mix(x: "np.ndarray") -> "np.ndarray":
    """SplitMix64's finaliser (Steele, Lea & Flood 2014): each input bit changes half of the output's."""
    import numpy as np

    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _word(text: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def hash_rows(batch: "pa.RecordBatch", columns: Sequence[str], salt: str) -> "np.ndarray":
    """A 64-bit hash a row from the values of some columns; a column that is not there counts as missing."""
    import numpy as np

    total = np.full(batch.num_rows, _word(salt), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for name in columns:
            if name in batch.schema.names:
                total += _mix(hash_values(batch.column(name)) ^ np.uint64(_word(f"{salt}\x1f{name}")))
            else:
                total += _mix(np.zeros(batch.num_rows, np.uint64) ^ np.uint64(_word(f"{salt}\x1f{name}")))
    return _mix(total)


def hash_values(array: "pa.Array") -> "np.ndarray":
    """A 64-bit word a value: 0 for missing, the bits of the float for numbers, BLAKE2b for text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    missing = np.asarray(array.is_null())
    if t.is_string(array.type) or t.is_dictionary(array.type):
        coded = array if t.is_dictionary(array.type) else array.dictionary_encode()
        words = np.array([0 if v is None else _word(v) for v in coded.dictionary.to_pylist()] or [0], dtype=np.uint64)
        hashed = words[np.asarray(coded.indices.fill_null(0))]
    else:
        if t.is_timestamp(array.type):
            array = array.cast(pa.int64())
        numbers = np.asarray(pc.fill_null(array.cast(pa.float64(), safe=False), 0.0)) + 0.0
        missing = missing | np.isnan(numbers)
        with np.errstate(over="ignore"):
            hashed = _mix(numbers.view(np.uint64) + np.uint64(_GAMMA))  # without it, zero would hash as missing does
    return np.where(missing, np.uint64(0), hashed)


def row_hashes(dataset: "ds.Dataset", columns: Sequence[str], salt: str) -> "np.ndarray":
    """`hash_rows` over a whole dataset."""
    import numpy as np

    names = [name for name in columns if name in dataset.schema.names]
    pieces = [hash_rows(batch, columns, salt) for batch in iterate(dataset, names)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.uint64)


def label_texts(array: "pa.Array | pa.ChunkedArray") -> "np.ndarray":
    """Each label as text, None where missing; a whole number reads the same as an integer and as a float."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if t.is_dictionary(array.type):
        array = array.dictionary_decode()
    if t.is_floating(array.type):
        coded = array.dictionary_encode()
        texts = [None if v is None or v != v else str(int(v)) if v == int(v) else repr(v) for v in _finite(coded)]
        lookup = np.array([*texts, None], dtype=object)
        return lookup[np.asarray(pc.fill_null(coded.indices, len(texts)))]
    return np.array(array.cast(pa.string()).to_pylist(), dtype=object)


def _finite(coded: "pa.DictionaryArray") -> list[float | None]:
    import math

    return [v if v is None or math.isfinite(v) else float("nan") for v in coded.dictionary.to_pylist()]


def holdout_size(rows: int, share: float) -> float:
    """The share to hold out: `share`, or less where that would be more than 50,000 rows."""
    return min(share, MOST_HOLDOUT_ROWS / rows) if rows else share


def draw_by_hash(hashes: "np.ndarray", strata: "np.ndarray", share: float) -> tuple[int, dict[str, int]]:
    """The common cut-off, below which about `share` of all rows hash, and those of the strata that need their own.

    A stratum of 200 different rows or more gets its share by chance, within three points. Its own cut-off would put
    equal rows with different targets on different sides, where what was learnt from one is wrong about the other. A
    smaller stratum gets its own, so that each with two or more different rows has some on both sides.
    """
    import numpy as np

    common = _cutoff(np.sort(hashes), share)
    own = {}
    for name in np.unique(strata):
        inside = hashes[strata == name]
        if len(np.unique(inside)) < SMALL_STRATUM:
            own[str(name)] = _cutoff(np.sort(inside), share)
    return common, own


def _cutoff(ordered: "np.ndarray", share: float) -> int:
    import numpy as np

    distinct = np.unique(ordered)
    if len(distinct) < 2:
        return 0
    wanted = ordered[min(len(ordered) - 1, round(share * len(ordered)))]
    position = int(np.clip(np.searchsorted(distinct, wanted), 1, len(distinct) - 1))
    return int(distinct[position])


def quantile_boundaries(target: "np.ndarray") -> tuple[float, ...]:
    """The inner deciles of a numeric target."""
    import numpy as np

    inner = np.linspace(0, 1, QUANTILE_STRATA + 1)[1:-1]
    return tuple(float(b) for b in np.unique(np.quantile(target, inner)))


def strata_of(rule: HoldoutRule, target: "pa.ChunkedArray") -> "np.ndarray":
    """Each row's stratum under a rule, as text; rows without a target have none of the drawn ones."""
    import numpy as np

    if rule.strata == "quantile":
        values = numbers_of(target)
        return np.where(np.isnan(values), "", np.searchsorted(rule.boundaries, values, side="right").astype(str))
    if rule.strata == "class":
        return np.array(["" if label is None else label for label in label_texts(target)], dtype=object)
    return np.full(len(target), "", dtype=object)


def numbers_of(array: "pa.Array | pa.ChunkedArray") -> "np.ndarray":
    """A numeric or boolean column as float64, NaN where missing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(), dtype=float)


def in_holdout(dataset: "ds.Dataset", rule: HoldoutRule) -> "np.ndarray":
    """For each row whether the rule holds it out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = dataset.count_rows()
    if rule.kind == "time":
        column = dataset.to_table(columns=[rule.columns[0]]).column(0)
        newest = pa.scalar(rule.newest_from).cast(column.type) if rule.newest_from else None
        return np.asarray(pc.fill_null(pc.greater_equal(column, newest), False)) if newest else np.zeros(rows, bool)
    hashes = row_hashes(dataset, rule.columns, rule.salt)
    if rule.strata is None:
        return hashes < np.uint64(rule.default_cutoff)
    if rule.target in dataset.schema.names:
        strata = strata_of(rule, dataset.to_table(columns=[rule.target]).column(0))
    else:
        strata = np.full(rows, "", dtype=object)
    names, positions = np.unique(strata.astype(str), return_inverse=True)
    cutoffs = np.array([rule.cutoffs.get(name, rule.default_cutoff) for name in names], dtype=np.uint64)
    return hashes < cutoffs[positions]


def assign_folds(strata: "np.ndarray", *, folds: int, seed: int, groups: "np.ndarray | None" = None) -> "np.ndarray":
    """Each row's fold, 0 … folds-1, balanced within strata; rows of one group share a fold.

    Args:
        groups: a key a row; rows that are equal, or belong to the same person, must not judge each other.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    keys = np.arange(len(strata)) if groups is None else groups
    _, first, codes, sizes = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    of_group = np.empty(len(first), dtype=np.int8)
    group_strata = strata[first]
    filled = np.zeros(folds)
    for name in np.unique(group_strata):
        members = generator.permutation(np.flatnonzero(group_strata == name))
        members = members[np.argsort(-sizes[members], kind="stable")]
        several = int((sizes[members] > 1).sum())
        for group in members[:several]:
            emptiest = int(filled.argmin())
            of_group[group] = emptiest
            filled[emptiest] += sizes[group]
        single = members[several:]
        order = np.argsort(filled, kind="stable")
        of_group[single] = order[np.arange(len(single)) % folds]
        filled += np.bincount(of_group[single], minlength=folds)
    return of_group[codes]


def time_fold(times: "np.ndarray", share: float) -> "np.ndarray":
    """Folds for rows in time: fold 0 is the newest `share`, judged by models of all that came before (fold -1)."""
    import numpy as np

    cut = np.quantile(times, 1 - share)
    return np.where(times >= cut, 0, -1).astype(np.int8)
