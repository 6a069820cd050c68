"""A text as its commonest words."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features.cells import Cells
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np

MOST_WORDS = 200
WORD = re.compile(r"\w{2,}")


@dataclass(frozen=True)
class WordsEncoder(OneColumn):
    """Length, and TF-IDF (Spärck Jones 1972, smoothed, rows of unit length) of the 200 words that most rows share."""

    role: ClassVar[str] = "text"

    words: tuple[str, ...]
    idf: tuple[float, ...]

    @classmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        import math

        texts = cells.labels
        counts = Counter(word for text in texts if text for word in set(WORD.findall(text.lower())))
        least = max(2, len(texts) // 1000)
        ranked = sorted(((w, n) for w, n in counts.items() if n >= least), key=lambda item: (-item[1], item[0]))
        chosen = ranked[:MOST_WORDS]
        idf = tuple(math.log((1 + len(texts)) / (1 + n)) + 1 for _, n in chosen)
        return cls(name, context.view, tuple(word for word, _ in chosen), idf)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def _weights(self) -> "np.ndarray":
        import numpy as np

        return np.asarray(self.idf, dtype=np.float32)

    def encode(self, cells: Cells) -> "np.ndarray":
        import numpy as np

        matrix = np.zeros((len(cells), len(self.words) + 1), dtype=np.float32)
        for row, text in enumerate(cells.labels):
            matrix[row, -1] = np.log1p(len(text or ""))
            for word in WORD.findall(text.lower()) if text else ():
                at = self._position.get(word)
                if at is not None:
                    matrix[row, at] += 1
        matrix[:, :-1] *= self._weights
        norms = np.linalg.norm(matrix[:, :-1], axis=1, keepdims=True)
        matrix[:, :-1] /= np.where(norms > 0, norms, 1)
        return matrix

    def feature_names(self) -> list[str]:
        return [f"{self.name}: {word}" for word in self.words] + [f"{self.name} length"]

    def number_outputs(self) -> list[int]:
        return [len(self.words)]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder; in a document of before 0.2 the scale of the length stands under `length`."""
        if "length" in document:
            document = {**document, "scale": document["length"] if document["view"] == "dense" else None}
        return super().from_json(document)
