"""What a model family is: defaults, a search space, and a fitted model that saves itself in a native format."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from automl_assets.learn.features.columns import View

if TYPE_CHECKING:
    import numpy as np

Params = dict[str, Any]


class Suggest(Protocol):
    """How a search space asks for a value; an Optuna trial is one."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A real number between two bounds."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number between two bounds, both included."""
        ...

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of some choices."""
        ...


@dataclass(frozen=True)
class Shape:
    """The problem as a family sees it. `classes` is 0 for regression."""

    rows: int
    features: int
    classes: int

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.classes == 0


@dataclass(frozen=True)
class FitData:
    """Training rows and the rows on which iterative families decide when to stop.

    X: float32, NaN for missing in the `codes` view. y: class indices as int64, or float64. `categorical`: the
    positions in X of columns that hold category codes.
    """

    X: "np.ndarray"
    y: "np.ndarray"
    weight: "np.ndarray | None"
    X_valid: "np.ndarray"
    y_valid: "np.ndarray"
    weight_valid: "np.ndarray | None"
    categorical: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class FitLimits:
    """What a fit may use. `stop_at` is on the monotonic clock: iterative families end then with what they have."""

    seed: int
    threads: int
    stop_at: float
    device: str = "cpu"

    def time_is_up(self) -> bool:
        """Whether an iterative fit should stop now."""
        return time.monotonic() >= self.stop_at


class Family(ABC):
    """A fitted model of one family. Constructed by `fit` or `load`, never directly.

    Class attributes: `view`, the encoding it wants; `order`, which families are tried first (low first);
    `packages`, what the zygote imports before it forks.
    """

    view: ClassVar[View] = "codes"
    order: ClassVar[int] = 50
    packages: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def defaults(cls, shape: Shape) -> Params:
        """A configuration that does well nearly everywhere."""

    @classmethod
    @abstractmethod
    def space(cls, suggest: Suggest, shape: Shape) -> Params:
        """A configuration drawn from the search space; every default lies inside it."""

    @classmethod
    @abstractmethod
    def fit(cls, params: Params, data: FitData, shape: Shape, limits: FitLimits) -> Self:
        """A fitted model."""

    @abstractmethod
    def predict(self, X: "np.ndarray", *, threads: int = 1) -> "np.ndarray":
        """Probabilities of shape (rows, classes), or values of shape (rows,) for regression."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write native files into an existing folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


def two_columns(positive: "np.ndarray") -> "np.ndarray":
    """Probabilities of the positive class as probabilities of both classes."""
    import numpy as np

    return np.column_stack([1 - positive, positive])


def all_classes(probabilities: "np.ndarray", seen: "np.ndarray", classes: int) -> "np.ndarray":
    """Probabilities over the classes of the training rows as probabilities over all; an absent class gets 0.

    Columns beyond those of `seen` are left out: of a single class, scikit-learn's boosting gives two.
    """
    import numpy as np

    if len(seen) == classes:
        return probabilities
    full = np.zeros((len(probabilities), classes))
    full[:, np.asarray(seen, dtype=int)] = probabilities[:, : len(seen)]
    return full
