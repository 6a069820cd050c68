"""One encoder a column role. Each learns from a training column, gives the same columns ever after, and is JSON.

Two views: ``codes`` for trees (missing stays missing, a category is a code) and ``dense`` for linear models (missing
imputed and indicated, categories one-hot, everything scaled).
"""

import re
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

View = Literal["codes", "dense"]
MOST_CATEGORIES = 10_000
MOST_ONE_HOT = 50
MOST_NATIVE_CATEGORIES = 64
MOST_WORDS = 200
CLIP_DEVIATIONS = 10.0
LARGEST = 3e38
WORD = re.compile(r"\w{2,}")
DATE_PARTS = ("year", "month", "day", "day_of_week", "hour", "epoch_days")


@dataclass(frozen=True)
class ColumnEncoder(ABC):
    """What was learnt about one column in one view."""

    kind: ClassVar[str]

    name: str
    view: View

    @classmethod
    @abstractmethod
    def fit(cls, name: str, column: "pa.ChunkedArray", view: View) -> Self:
        """Learn from the training rows."""

    @abstractmethod
    def transform(self, column: "pa.ChunkedArray") -> "np.ndarray":
        """A float32 matrix of shape (rows, len(self.feature_names()))."""

    @abstractmethod
    def feature_names(self) -> list[str]:
        """A name for each output column."""

    def is_categorical(self) -> bool:
        """Whether the single output column holds category codes that a tree may treat as such."""
        return False

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild the encoder."""
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Scale:
    """Centre and spread of a dense column; values beyond ten spreads are clipped."""

    centre: float
    spread: float

    @classmethod
    def of(cls, values: "np.ndarray") -> "Scale":
        """Mean and standard deviation; a spread of 1 for a constant."""
        import numpy as np

        if not len(values):
            return cls(0.0, 1.0)
        spread = float(np.std(values))
        return cls(float(np.mean(values)), spread if np.isfinite(spread) and spread > 1e-12 else 1.0)

    def apply(self, values: "np.ndarray") -> "np.ndarray":
        """Standardised values."""
        import numpy as np

        return np.clip((values - self.centre) / self.spread, -CLIP_DEVIATIONS, CLIP_DEVIATIONS)


def finite_numbers(column: "pa.ChunkedArray") -> "np.ndarray":
    """The column as float64 within float32's range, with NaN for missing and infinite values."""
    import numpy as np

    from automl_assets.learn.split import numbers_of

    values = numbers_of(column)
    return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), np.nan)


@dataclass(frozen=True)
class NumericEncoder(ColumnEncoder):
    """codes: the number. dense: median-imputed, standardised, with an indicator where training had missing values."""

    kind = "numeric"

    median: float
    indicates: bool
    scale: Scale

    @classmethod
    def fit(cls, name: str, column: "pa.ChunkedArray", view: View) -> Self:
        import numpy as np

        values = finite_numbers(column)
        known = values[~np.isnan(values)]
        median = float(np.median(known)) if len(known) else 0.0
        filled = np.where(np.isnan(values), median, values)
        return cls(name, view, median, bool(len(known) < len(values)), Scale.of(filled))

    def transform(self, column: "pa.ChunkedArray") -> "np.ndarray":
        import numpy as np

        values = finite_numbers(column)
        if self.view == "codes":
            return values.astype(np.float32)[:, None]
        missing = np.isnan(values)
        scaled = self.scale.apply(np.where(missing, self.median, values))
        parts = [scaled, missing] if self.indicates else [scaled]
        return np.column_stack(parts).astype(np.float32)

    def feature_names(self) -> list[str]:
        return [self.name, f"{self.name} is missing"] if self.view == "dense" and self.indicates else [self.name]


@dataclass(frozen=True)
class CategoricalEncoder(ColumnEncoder):
    """codes: rank by frequency in training, missing for missing, the number of categories for an unseen one.

    dense: one column for each of the 50 most frequent categories, one for all others, one for missing.
    """

    kind = "categorical"

    categories: tuple[str, ...]

    @classmethod
    def fit(cls, name: str, column: "pa.ChunkedArray", view: View) -> Self:
        counts = Counter(label for label in _labels(column) if label is not None)
        most = MOST_ONE_HOT if view == "dense" else MOST_CATEGORIES
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(name, view, tuple(label for label, _ in ranked[:most]))

    def transform(self, column: "pa.ChunkedArray") -> "np.ndarray":
        import numpy as np

        codes = self._codes(column)
        if self.view == "codes":
            return np.where(codes < 0, np.nan, codes).astype(np.float32)[:, None]
        size = len(self.categories)
        one_hot = np.zeros((len(codes), size + 2), dtype=np.float32)
        one_hot[np.arange(len(codes)), np.where(codes < 0, size + 1, codes)] = 1
        return one_hot

    def _codes(self, column: "pa.ChunkedArray") -> "np.ndarray":
        """The category's rank, their number where unseen, -1 where missing."""
        import numpy as np

        coded, labels = _coded(column)
        rank = {label: i for i, label in enumerate(self.categories)}
        lookup = np.array([-1 if label is None else rank.get(label, len(rank)) for label in [*labels, None]])
        return lookup[coded]

    def unseen(self, column: "pa.ChunkedArray") -> int:
        """How many rows hold a category that training did not."""
        return int((self._codes(column) == len(self.categories)).sum())

    def is_categorical(self) -> bool:
        return self.view == "codes" and len(self.categories) <= MOST_NATIVE_CATEGORIES

    def feature_names(self) -> list[str]:
        if self.view == "codes":
            return [self.name]
        return [f"{self.name} = {label}" for label in self.categories] + [
            f"{self.name} is another",
            f"{self.name} is missing",
        ]


def _coded(column: "pa.ChunkedArray") -> "tuple[np.ndarray, list[str | None]]":
    """An index into the labels a row (the last index, one past the labels, for missing), and the labels as text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    from automl_assets.learn.split import label_texts

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = array if t.is_dictionary(array.type) else array.dictionary_encode()
    labels = list(label_texts(coded.dictionary))
    return np.asarray(pc.fill_null(coded.indices, len(labels))), labels


def _labels(column: "pa.ChunkedArray") -> list[str | None]:
    coded, labels = _coded(column)
    lookup = [*labels, None]
    return [lookup[i] for i in coded]


@dataclass(frozen=True)
class DatetimeEncoder(ColumnEncoder):
    """Calendar parts and days since 1970; a part that was constant in training is left out."""

    kind = "datetime"

    parts: tuple[str, ...]
    encoders: tuple[dict[str, Any], ...]

    @classmethod
    def fit(cls, name: str, column: "pa.ChunkedArray", view: View) -> Self:
        import numpy as np
        import pyarrow as pa

        values = {part: _date_part(column, part) for part in DATE_PARTS}
        kept = tuple(part for part, v in values.items() if len(np.unique(v[~np.isnan(v)])) > 1)
        fitted = [NumericEncoder.fit(f"{name} {part}", pa.chunked_array([values[part]]), view) for part in kept]
        return cls(name, view, kept, tuple(encoder.to_json() for encoder in fitted))

    def _inner(self) -> list[ColumnEncoder]:
        return [column_encoder_from_json(document) for document in self.encoders]

    def transform(self, column: "pa.ChunkedArray") -> "np.ndarray":
        import numpy as np
        import pyarrow as pa

        pieces = [
            encoder.transform(pa.chunked_array([_date_part(column, part)]))
            for part, encoder in zip(self.parts, self._inner(), strict=True)
        ]
        return np.concatenate(pieces, axis=1) if pieces else np.empty((len(column), 0), dtype=np.float32)

    def feature_names(self) -> list[str]:
        return [name for encoder in self._inner() for name in encoder.feature_names()]


def _date_part(column: "pa.ChunkedArray", part: str) -> "np.ndarray":
    import pyarrow as pa
    import pyarrow.compute as pc

    from automl_assets.learn.split import numbers_of

    if part == "epoch_days":
        return numbers_of(column.cast(pa.int64())) / 86_400e6
    return numbers_of(getattr(pc, part)(column))


@dataclass(frozen=True)
class TextEncoder(ColumnEncoder):
    """Length, and TF-IDF (Spärck Jones 1972, smoothed, rows of unit length) of the 200 words that most rows share."""

    kind = "text"

    words: tuple[str, ...]
    idf: tuple[float, ...]
    length: Scale

    @classmethod
    def fit(cls, name: str, column: "pa.ChunkedArray", view: View) -> Self:
        import math

        import numpy as np

        texts = _labels(column)
        counts = Counter(word for text in texts if text for word in set(WORD.findall(text.lower())))
        least = max(2, len(texts) // 1000)
        ranked = sorted(((w, n) for w, n in counts.items() if n >= least), key=lambda item: (-item[1], item[0]))
        chosen = ranked[:MOST_WORDS]
        idf = tuple(math.log((1 + len(texts)) / (1 + n)) + 1 for _, n in chosen)
        lengths = np.array([len(text or "") for text in texts], dtype=float)
        return cls(name, view, tuple(word for word, _ in chosen), idf, Scale.of(np.log1p(lengths)))

    def transform(self, column: "pa.ChunkedArray") -> "np.ndarray":
        import numpy as np

        position = {word: i for i, word in enumerate(self.words)}
        matrix = np.zeros((len(column), len(self.words) + 1), dtype=np.float32)
        for row, text in enumerate(_labels(column)):
            matrix[row, -1] = np.log1p(len(text or ""))
            for word in WORD.findall(text.lower()) if text else ():
                if word in position:
                    matrix[row, position[word]] += 1
        matrix[:, :-1] *= np.asarray(self.idf, dtype=np.float32)
        norms = np.linalg.norm(matrix[:, :-1], axis=1, keepdims=True)
        matrix[:, :-1] /= np.where(norms > 0, norms, 1)
        if self.view == "dense":
            matrix[:, -1] = self.length.apply(matrix[:, -1])
        return matrix

    def feature_names(self) -> list[str]:
        return [f"{self.name}: {word}" for word in self.words] + [f"{self.name} length"]


KINDS: dict[str, type[ColumnEncoder]] = {
    encoder.kind: encoder for encoder in (NumericEncoder, CategoricalEncoder, DatetimeEncoder, TextEncoder)
}


def column_encoder_from_json(document: dict[str, Any]) -> ColumnEncoder:
    """The encoder that `to_json` described."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items() if key != "kind"
    }
    for key in ("scale", "length"):
        if isinstance(fields.get(key), dict):
            fields[key] = Scale(**fields[key])
    return KINDS[document["kind"]](**fields)
