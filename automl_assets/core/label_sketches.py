"""Mergeable summaries of labels and of text; see `sketches`."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from automl_assets.core.sketches import NumericSketch, Sketch

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MOST_LABELS = 2_000
TOKEN_BUCKETS = 1_024
BETWEEN_TOKENS = r"[^\p{L}\p{N}_]+"


@dataclass(frozen=True, eq=False)
class CategorySketch(Sketch):
    """Rows by label. What is none of the labels is `unknown`: unseen in the reference where the list is complete."""

    kind = "categorical"

    labels: tuple[str, ...]
    counts: "np.ndarray"
    complete: bool = True

    @classmethod
    def on(cls, labels: tuple[str, ...], *, complete: bool = True) -> Self:
        """Nothing counted yet. `complete`: the reference holds no other label."""
        import numpy as np

        return cls(labels, np.zeros(len(labels) + 2, dtype=np.int64), complete)

    @property
    def vector(self) -> "np.ndarray":
        """Missing, unknown, then rows by label."""
        return self.counts

    def with_vector(self, vector: "np.ndarray") -> Self:
        """The same labels with other counts."""
        return replace(self, counts=vector)

    @property
    def unknown(self) -> int:
        """Rows with a label that is not in the list."""
        return int(self.counts[1])

    @property
    def cells(self) -> "np.ndarray":
        """Rows with an unknown label, then rows by label."""
        return self.counts[1:]

    @property
    def known(self) -> int:
        """Rows with a label."""
        return int(self.cells.sum())

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {label: i + 2 for i, label in enumerate(self.labels)}

    def count(self, found: Mapping[str | None, int]) -> Self:
        """A sketch of rows by label on the same labels; None is missing."""
        import numpy as np

        counts = np.zeros(len(self.counts), dtype=np.int64)
        for label, rows in found.items():
            counts[0 if label is None else self._positions.get(label, 1)] += rows
        return replace(self, counts=counts)

    def to_json(self) -> dict[str, Any]:
        """The labels, and whether they are all."""
        return {"kind": self.kind, "labels": list(self.labels), "complete": self.complete}


@dataclass(frozen=True, eq=False)
class TextSketch(Sketch):
    """Lengths in characters, counted on `edges`, and words by bucket of their hash: no text can be read back."""

    kind = "text"

    edges: "np.ndarray"
    counts: "np.ndarray"

    @classmethod
    def on(cls, edges: "np.ndarray") -> Self:
        """Nothing counted yet. `edges`: of the reference's lengths."""
        import numpy as np

        return cls(edges, np.zeros(2 * len(edges) + 3 + TOKEN_BUCKETS, dtype=np.int64))

    @property
    def vector(self) -> "np.ndarray":
        """The lengths' counts, then words by bucket."""
        return self.counts

    def with_vector(self, vector: "np.ndarray") -> Self:
        """The same structure with other counts."""
        return replace(self, counts=vector)

    @property
    def lengths(self) -> NumericSketch:
        """The sketch of the lengths."""
        return NumericSketch(self.edges, self.counts[:-TOKEN_BUCKETS])

    @property
    def tokens(self) -> "np.ndarray":
        """Words by bucket."""
        return self.counts[-TOKEN_BUCKETS:]

    @property
    def known(self) -> int:
        """Rows with a text."""
        return self.lengths.known

    @property
    def rows(self) -> int:
        """All rows that were counted."""
        return self.lengths.rows

    def count(self, texts: "pa.Array") -> Self:
        """A sketch of texts on the same structure."""
        import numpy as np

        lengths = NumericSketch.on(self.edges).count(lengths_of(texts))
        return replace(self, counts=np.concatenate([lengths.counts, tokens_of(texts)]))

    def coarse(self) -> Self:
        """The same words, and the lengths in fewer cells."""
        import numpy as np

        lengths = self.lengths.coarse()
        return replace(self, edges=lengths.edges, counts=np.concatenate([lengths.counts, self.tokens]))

    def arrays(self) -> "dict[str, np.ndarray]":
        """The edges of the lengths, and the counts."""
        return {"edges": self.edges, "vector": self.counts}


def lengths_of(texts: "pa.Array") -> "np.ndarray":
    """Characters a text as float64, NaN where missing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.utf8_length(texts).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)


def tokens_of(texts: "pa.Array") -> "np.ndarray":
    """How many words, in lower case, fall in each of 1,024 buckets."""
    import numpy as np
    import pyarrow.compute as pc

    words = pc.split_pattern_regex(pc.utf8_lower(texts.drop_null()), BETWEEN_TOKENS).flatten()
    buckets = np.zeros(TOKEN_BUCKETS, dtype=np.int64)
    for pair in pc.value_counts(words):
        word = pair["values"].as_py()
        if word:
            buckets[zlib.crc32(word.encode("utf-8", "surrogatepass")) % TOKEN_BUCKETS] += pair["counts"].as_py()
    return buckets
