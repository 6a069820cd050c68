"""A category by its code, and what the category encoders make of the code."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features import encoders
from automl_assets.learn.features.cells import Cells, Rows
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.encoders import CategoryEncoder
from automl_assets.learn.features.encoders.one_hot import OneHot
from automl_assets.learn.features.encoders.ordinal import Ordinal
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np

MOST_CATEGORIES = 10_000
MOST_NATIVE_CATEGORIES = 64


@dataclass(frozen=True)
class CategoricalEncoder(OneColumn):
    """The categories by rank of frequency, then by name; of at most 10,000, the others count as unseen.

    `crossed` names the two columns whose categories together are this one's, where it is a cross.
    """

    role: ClassVar[str] = "categorical"

    categories: tuple[str, ...]
    methods: tuple[CategoryEncoder, ...] = ()
    crossed: tuple[str, ...] = ()
    indicates: bool = False

    @classmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        import numpy as np

        positions, labels = cells.coded
        sizes = np.bincount(positions, minlength=len(labels) + 1).tolist()
        counts: Counter[str] = Counter()
        for label, size in zip(labels, sizes, strict=False):
            if label is not None and size:
                counts[label] += size
        ranked = sorted(counts, key=lambda label: (-counts[label], label))[:MOST_CATEGORIES]
        bare = cls(name, context.view, tuple(ranked))
        codes = bare.codes(cells)
        methods = tuple(encoders.registry.get(m).fit(codes, len(ranked), context) for m in _methods(ranked, context))
        telling = (OneHot, Ordinal) if context.view == "codes" else (OneHot,)
        told = any(isinstance(method, telling) for method in methods)
        return replace(bare, methods=methods, indicates=not told and context.indicates and bool((codes < 0).any()))

    @cached_property
    def _rank(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.categories)}

    @cached_property
    def _encoders(self) -> tuple[CategoryEncoder, ...]:
        """Its methods; without any, the one that every column of its view had before there was a choice."""
        return self.methods or ((Ordinal() if self.view == "codes" else OneHot(len(self.categories))),)

    def codes(self, cells: Cells) -> "np.ndarray":
        """The category's rank, their number where unseen, -1 where missing."""
        return cells.codes(self._rank)

    def unseen(self, cells: Cells) -> int:
        """How many rows hold a category that training did not."""
        return int((self.codes(cells) == len(self.categories)).sum())

    def encode(self, cells: Cells) -> "np.ndarray":
        codes = self.codes(cells)
        return self._joined(codes, [method.encode(codes, len(self.categories)) for method in self._encoders])

    def encode_rows(self, rows: Rows) -> "np.ndarray":
        return self.encode(self.cells_of(rows))

    def encode_training(self, rows: Rows, context: FitContext) -> "np.ndarray":
        codes = self.codes(self.cells_of(rows))
        size = len(self.categories)
        return self._joined(codes, [method.encode_training(codes, size, context) for method in self._encoders])

    def cells_of(self, rows: Rows) -> Cells:
        """The cells that it reads: its column's, or those of the two that it crosses."""
        if self.crossed:
            return Cells.crossed(rows[self.crossed[0]], rows[self.crossed[1]])
        return rows[self.name]

    def _joined(self, codes: "np.ndarray", pieces: "list[np.ndarray]") -> "np.ndarray":
        import numpy as np

        if self.indicates:
            pieces = [*pieces, (codes < 0).astype(np.float32)[:, None]]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)

    def feature_names(self) -> list[str]:
        names = [name for method in self._encoders for name in method.feature_names(self.name, self.categories)]
        return [*names, f"{self.name} is missing"] if self.indicates else names

    def number_outputs(self) -> list[int]:
        found, start = [], 0
        for method in self._encoders:
            width = len(method.feature_names(self.name, self.categories))
            if method.are_numbers and not (isinstance(method, Ordinal) and self.view == "codes"):
                found += range(start, start + width)
            start += width
        return found

    def category_outputs(self) -> list[int]:
        return self.nominal_outputs() if len(self.categories) <= MOST_NATIVE_CATEGORIES else []

    def nominal_outputs(self) -> list[int]:
        return [0] if self.view == "codes" and isinstance(self._encoders[0], Ordinal) else []

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder that `to_json` described."""
        made = super().from_json({**document, "methods": []})
        methods = (encoders.registry.get(m["kind"]).from_json(m) for m in document.get("methods", ()))
        return replace(made, methods=tuple(methods))


def _methods(categories: list[str], context: FitContext) -> tuple[str, ...]:
    """The category encoders of one column, by name."""
    if context.recipe.encoder != "auto":
        return (context.recipe.encoder,)
    first = "ordinal" if context.view == "codes" else "one_hot"
    many = len(categories) > MOST_NATIVE_CATEGORIES and context.target is not None
    return (first, "target") if many else (first,)
