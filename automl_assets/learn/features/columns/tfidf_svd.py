"""A text as its place among the training texts."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features._stored import Packed
from automl_assets.learn.features.cells import Cells
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.columns._ngrams import SLOTS, character_classes, code_points, counted
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np

COMPONENTS = 40
MOST_ROWS = 20_000
MOST_COUNTS = 4_000_000
SHARES = ("digits", "capitals", "marks")


@dataclass(frozen=True)
class TfidfSvdEncoder(OneColumn):
    """Latent semantic analysis (Deerwester et al. 1990): 40 components of hashed TF-IDF, and the text's shape.

    Counts are of 3 to 5 characters within words, of words and of pairs of words, each as ``1 + log(count)``, times the
    smoothed inverse document frequency, rows of unit length; what only one training row has is left out. Components
    come from a randomised SVD (Halko, Martinsson & Tropp 2011) of at most 20,000 rows. The shape is the logarithm of
    the numbers of characters and words, and the shares of digits, capitals and marks.
    """

    role: ClassVar[str] = "text"

    slots: Packed
    idf: Packed
    components: Packed

    @classmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        import numpy as np

        texts = cells.labels
        order = np.random.default_rng(context.seed).permutation(len(texts))[:MOST_ROWS]
        counts, rows = _sampled([texts[i] for i in order])
        frequency = np.bincount(counts.indices, minlength=2 * SLOTS) if rows else np.zeros(2 * SLOTS)
        slots = np.flatnonzero(frequency >= 2)
        idf = np.log((1 + rows) / (1 + frequency[slots])) + 1
        bare = cls(name, context.view, Packed.of(slots, "u2"), Packed.of(idf, "f4"), Packed.of(np.empty((0, 0)), "f2"))
        width = min(COMPONENTS, rows - 1, len(slots) - 1)
        if width < 1:
            found = np.zeros((len(slots), 0))
        else:
            from sklearn.utils.extmath import randomized_svd

            weighed = bare._weighed(counts)
            options: Any = {"n_iter": 2, "random_state": context.seed}
            found = randomized_svd(weighed, width, **options)[2].T
        return cls(name, context.view, bare.slots, bare.idf, Packed.of(found, "f2"))

    @cached_property
    def _projection(self) -> "np.ndarray":
        return self.components.array.astype("f4")

    def _weighed(self, counts: Any) -> Any:
        """The counts of the known slots as TF-IDF, rows of unit length, sparse."""
        import numpy as np

        known = counts[:, self.slots.array.astype(np.int64)]
        known.sort_indices()
        known.data = (1 + np.log(known.data)) * self.idf.array[known.indices]
        row = np.repeat(np.arange(known.shape[0]), np.diff(known.indptr))
        norms = np.sqrt(np.bincount(row, weights=known.data.astype(float) ** 2, minlength=known.shape[0]))
        known.data = (known.data / np.where(norms > 0, norms, 1)[row]).astype(np.float32)
        return known

    def encode(self, cells: Cells) -> "np.ndarray":
        import numpy as np

        texts = cells.labels
        width = self._projection.shape[1]
        matrix = np.zeros((len(texts), width + 2 + len(SHARES)), dtype=np.float32)
        for rows, counts in counted(texts) if width else ():
            matrix[rows, :width] = self._weighed(counts) @ self._projection
        matrix[:, width:] = _shape(texts)
        return matrix

    def feature_names(self) -> list[str]:
        components = [f"{self.name} component {i + 1}" for i in range(self.components.array.shape[1])]
        return [*components, *(f"{self.name} {part}" for part in ("characters", "words", *SHARES))]


def _sampled(texts: list[str | None]) -> "tuple[Any, int]":
    """Counts of the first texts, stopping after four million, and of how many texts they are."""
    from scipy.sparse import vstack

    pieces, total = [], 0
    for _, counts in counted(texts):
        pieces.append(counts)
        total += counts.nnz
        if total > MOST_COUNTS:
            break
    stacked = vstack(pieces, format="csr") if pieces else None
    return stacked, sum(piece.shape[0] for piece in pieces)


def _shape(texts: list[str | None]) -> "np.ndarray":
    """float32 (rows, 5): logarithms of the numbers of characters and words; shares of digits, capitals and marks."""
    import numpy as np

    lengths = np.array([len(text or "") for text in texts], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), lengths)
    _, word, *others = character_classes(code_points("".join(text or "" for text in texts)))
    begins = (
        word & ~(np.concatenate([[False], word[:-1]]) & (row == np.concatenate([[-1], row[:-1]]))) if len(row) else word
    )
    sums = [np.bincount(row, weights=flags, minlength=len(texts)) for flags in (begins, *others)]
    shares = [counts / np.maximum(lengths, 1) for counts in sums[1:]]
    return np.column_stack([np.log1p(lengths), np.log1p(sums[0]), *shares]).astype(np.float32)
