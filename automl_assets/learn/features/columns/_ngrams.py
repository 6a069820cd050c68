"""Character and word n-grams of texts, counted in hashed slots by arithmetic on code points, without a loop."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SLOTS = 1 << 13
CHARACTERS = (3, 4, 5)
CHUNK = 400_000
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
_ROOT = 0x5851F42D4C957F2D
_INVERSE = pow(_ROOT, -1, 1 << 64)


def counted(texts: Sequence[str | None]) -> "Iterator[tuple[slice, Any]]":
    """Which rows, and their counts as a sparse float32 matrix (rows, 2 · SLOTS), 400,000 characters at a time.

    The first half of the slots counts n-grams of 3 to 5 characters within words, a blank at either end being part of
    them; the second half words and pairs of words.
    """
    start = size = 0
    for row, text in enumerate(texts):
        size += len(text or "") + 2
        if size > CHUNK or row == len(texts) - 1:
            yield slice(start, row + 1), _counts(texts[start : row + 1])
            start, size = row + 1, 0


def _counts(texts: Sequence[str | None]) -> Any:
    import numpy as np
    from scipy.sparse import csr_matrix

    padded = [f" {(text or '').lower()} " for text in texts]
    points = code_points("".join(padded))
    row = np.repeat(np.arange(len(texts)), [len(text) for text in padded])
    space, word = character_classes(points)[:2]
    points = np.where(space, 32, points).astype(np.uint64)
    pieces = [_character_grams(points, space, row, length) for length in CHARACTERS]
    pieces += _word_grams(points, word, row)
    rows, slots = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    counts = csr_matrix((np.ones(len(rows), np.float32), (rows, slots)), shape=(len(texts), 2 * SLOTS))
    counts.sum_duplicates()
    return counts


def code_points(text: str) -> "np.ndarray":
    """uint32, one a character."""
    import numpy as np

    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


@cache
def _table() -> "np.ndarray":
    """A bool (5, 0x3100): which characters are blank, of words, digits, capitals, marks."""
    import numpy as np

    letters = [chr(i) for i in range(0x3100)]
    blank = [c.isspace() or not i for i, c in enumerate(letters)]
    word = [c.isalnum() or c == "_" for c in letters]
    marks = [not (b or w) for b, w in zip(blank, word, strict=True)]
    return np.array([blank, word, [c.isdigit() for c in letters], [c.isupper() for c in letters], marks])


def character_classes(points: "np.ndarray") -> "np.ndarray":
    """A bool (5, characters): blank, of a word, digit, capital, mark; beyond U+30FF all are of words."""
    import numpy as np

    table = _table()
    return table[:, np.where(points < table.shape[1], points, ord("a"))]


def _slots(hashed: "np.ndarray") -> "np.ndarray":
    import numpy as np

    hashed = (hashed ^ (hashed >> np.uint64(29))) * np.uint64(_ODD[1])
    return (hashed >> np.uint64(40)).astype(np.int64) & (SLOTS - 1)


def _character_grams(
    points: "np.ndarray", space: "np.ndarray", row: "np.ndarray", length: int
) -> "tuple[np.ndarray, np.ndarray]":
    """Row and slot of each n-gram without a blank inside, so that none crosses from one text to the next."""
    import numpy as np

    windows = len(points) - length + 1
    if windows <= 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    blanks = np.concatenate([[0], np.cumsum(space)])
    inside = np.arange(windows)
    first = np.flatnonzero(blanks[inside + length - 1] == blanks[inside + 1])
    hashed = np.full(len(first), length, dtype=np.uint64)
    for at in range(length):
        hashed += points[first + at] * np.uint64(_ODD[at])
    return row[first], _slots(hashed)


def _word_grams(points: "np.ndarray", word: "np.ndarray", row: "np.ndarray") -> "list[tuple[np.ndarray, np.ndarray]]":
    """Row and slot of each word and of each two neighbours. A word's hash is a polynomial in its code points."""
    import numpy as np

    edges = np.diff(word.astype(np.int8))
    start, end = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1) + 1
    power = _powers(_ROOT, len(points))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(points * power)])
    words = (sums[end] - sums[start]) * _powers(_INVERSE, len(points))[start]
    rows = row[start]
    near = np.flatnonzero(rows[1:] == rows[:-1])
    pairs = words[near] * np.uint64(_ODD[2]) + words[near + 1]
    return [(rows, _slots(words) + SLOTS), (rows[near], _slots(pairs) + SLOTS)]


def _powers(base: int, count: int) -> "np.ndarray":
    """base⁰ … modulo 2⁶⁴."""
    import numpy as np

    powers = np.full(max(count, 1), base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers)[:count]
