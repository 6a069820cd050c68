"""What is predicted, as columns of numbers that categories can be averaged over, and the context of a fit."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

from automl_assets.learn.features.recipe import Recipe, View

if TYPE_CHECKING:
    import numpy as np

FOLDS = 5
MOST_CLASSES = 10
STRATA = 10


@dataclass(frozen=True, eq=False)
class Target:
    """`y` of the training rows: codes 0 … classes-1, or values where `classes` is 0; `weight` has a mean of 1."""

    y: "np.ndarray"
    classes: int
    weight: "np.ndarray"
    seed: int

    @classmethod
    def of(cls, y: "np.ndarray", classes: int, weight: "np.ndarray | None", seed: int) -> Self:
        """The target of the training rows, in their order."""
        import numpy as np

        total = 0.0 if weight is None else float(np.sum(weight))
        ones = np.ones(len(y)) if weight is None or total <= 0 else np.asarray(weight, dtype=float) * len(y) / total
        return cls(np.asarray(y), classes, ones, seed)

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """The classes that have a column each: the second of two, else the ten most frequent."""
        import numpy as np

        if self.classes <= 2:
            return (1,) if self.classes else ()
        counts = np.bincount(self.y.astype(int), minlength=self.classes)
        return tuple(sorted(int(i) for i in np.argsort(-counts, kind="stable")[:MOST_CLASSES]))

    @cached_property
    def columns(self) -> "np.ndarray":
        """float64 (rows, 1 … 10): whether the row is of a shown class, or the value."""
        import numpy as np

        if not self.classes:
            return self.y.astype(float)[:, None]
        return np.column_stack([self.y == label for label in self.shown]).astype(float)

    @cached_property
    def folds(self) -> "np.ndarray":
        """Each row's fold, 0 … 4, balanced within classes or deciles."""
        import numpy as np

        from automl_assets.learn.split import assign_folds

        if self.classes:
            strata = self.y
        else:
            inner = np.quantile(self.y, np.linspace(0, 1, STRATA + 1)[1:-1]) if len(self.y) else np.empty(0)
            strata = np.searchsorted(inner, self.y)
        return assign_folds(strata, folds=FOLDS, seed=self.seed).astype(np.int64)

    def sample(self, most: int) -> "np.ndarray":
        """The positions of at most so many rows, drawn by the seed, in order."""
        import numpy as np

        return np.sort(np.random.default_rng(self.seed).permutation(len(self.y))[:most])


@dataclass(frozen=True)
class FitContext:
    """What every method may know when it learns: the view, the recipe, the target where there is one, the seed."""

    view: View
    recipe: Recipe = field(default_factory=Recipe)
    target: Target | None = None
    seed: int = 0

    @property
    def indicates(self) -> bool:
        """Whether missing cells get a column of their own."""
        return self.view == "dense" if self.recipe.indicators is None else self.recipe.indicators
