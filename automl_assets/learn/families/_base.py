"""What a model family is: defaults, a search space, and a fitted model that saves itself in a native format."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, Self

from automl_assets.learn.features.columns import View

if TYPE_CHECKING:
    import numpy as np

Params = dict[str, Any]
UNFORESEEN = 1.6
ENOUGH_PROGRESS, USUAL_PROGRESS = 60.0, 15.0
NEVER = -1e3


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
    positions in X of columns that hold category codes and few enough of them for a tree to split by; `nominal`: of all
    that hold codes, however many.
    """

    X: "np.ndarray"
    y: "np.ndarray"
    weight: "np.ndarray | None"
    X_valid: "np.ndarray"
    y_valid: "np.ndarray"
    weight_valid: "np.ndarray | None"
    categorical: list[int] = field(default_factory=list)
    nominal: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class FitLimits:
    """What a fit may use. `stop_at` is on the monotonic clock: iterative families end then with what they have.

    trees: about how many trees, or epochs, the time is enough for; None where nothing is known.
    """

    seed: int
    threads: int
    stop_at: float
    device: str = "cpu"
    trees: int | None = None

    def time_is_up(self) -> bool:
        """Whether an iterative fit should stop now."""
        return time.monotonic() >= self.stop_at

    def most_trees(self, most: int) -> int:
        """How many trees to grow at most, where a family never grows more than `most`.

        More than were foreseen where a clock ends the fit in time; exactly as many where none does.
        """
        if self.trees is None:
            return most
        return max(1, min(most, self.trees if self.stop_at == float("inf") else int(UNFORESEEN * self.trees)))

    def learning_rate(self, wanted: float, *, fastest: float) -> float:
        """The learning rate: raised, up to `fastest`, where so few trees can be grown that they would not get far.

        A booster whose rates add up to less than about 60 may still be learning fast when it must stop.
        """
        if self.trees is None:
            return wanted
        return max(wanted, min(fastest, ENOUGH_PROGRESS / max(1, self.trees)))


class Contributions(NamedTuple):
    """What each feature added to what a fitted model says: ``base + parts.sum(axis=1)`` is what it says.

    parts: shape (rows, features, outputs), the features in X's order. base: shape (rows, outputs).
    units: "margin": sums before the link function. The value itself for a number, one output; one output of log-odds
    of class 1, or a logit for each of two classes; a logit for each of several. "probability": one output a class.
    """

    parts: "np.ndarray"
    base: "np.ndarray"
    units: Literal["margin", "probability"] = "margin"


class Family(ABC):
    """A fitted model of one family. Constructed by `fit` or `load`, never directly.

    `trees`: how many trees, or epochs, it grew; None for a family that has none. `starved`: it was still getting better
    when it had to stop. Class attributes: `view`, the encoding it wants; `order`, which families are tried first (low
    first); `packages`, what the zygote imports before it forks; `on_gpu`, whether it knows what to do with one;
    `by_default`, whether ``families: auto`` includes it; `stacks`, whether it learns from what other members predict.
    """

    trees: int | None = None
    starved: bool = False

    view: ClassVar[View] = "codes"
    order: ClassVar[int] = 50
    packages: ClassVar[tuple[str, ...]] = ()
    on_gpu: ClassVar[bool] = False
    by_default: ClassVar[bool] = True
    stacks: ClassVar[bool] = False

    @classmethod
    def refuses(cls, shape: Shape) -> str | None:
        """Why this family is not for a problem of this shape; None where it is."""
        return None

    @classmethod
    def work(cls, params: Params, shape: Shape) -> float:
        """How much there is to do in a whole fit, in units that are about equally long on one machine and family."""
        return float(shape.rows) * (shape.features + 1) * max(1, shape.classes)

    @classmethod
    def usual_trees(cls, params: Params, shape: Shape) -> float | None:
        """About how many trees, or epochs, a whole fit grows; None for a family that has none to count."""
        return None

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

    def contributions(self, X: "np.ndarray", background: "np.ndarray", *, threads: int = 1) -> Contributions | None:
        """What each feature added, exactly; None, as here, where the family can't tell: then the model is asked.

        Args:
            X: encoded rows to explain, shape (rows, features).
            background: encoded rows that the base stands for, at least one; trees that remember how their training rows
                were spread may use those instead.
        """
        return None

    @classmethod
    def can_contribute(cls) -> bool:
        """Whether the family has `contributions` of its own."""
        return cls.contributions is not Family.contributions

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


def logits_of_all(found: Contributions, seen: "np.ndarray", classes: int) -> Contributions:
    """Margins of the training rows' classes, or one log-odds, as a logit for each class; an absent class is never."""
    import numpy as np

    parts, base = found.parts, found.base
    if parts.shape[2] == 1 and len(seen) == 2:
        parts, base = (np.concatenate([np.zeros_like(one), one], axis=-1) for one in (parts, base))
    all_parts, all_bases = np.zeros((*parts.shape[:2], classes)), np.full((len(base), classes), NEVER)
    positions = np.asarray(seen, dtype=int)
    all_parts[:, :, positions], all_bases[:, positions] = parts, base
    return Contributions(all_parts, all_bases)


def outputs(shape: Shape) -> int:
    """How many trees a boosting round grows: one a class where there are several."""
    return shape.classes if shape.classes > 2 else 1


def patience(learning_rate: float) -> int:
    """How many rounds without getting better end a booster's fit: the slower it learns, the more."""
    return max(20, int(5 / learning_rate**0.75))


def leafwise_work(learning_rate: float, leaves: int, columns: float, shape: Shape) -> float:
    """The work of a booster whose trees grow leaf by leaf, each looking at so many columns."""
    import math

    a_tree = shape.rows * math.log2(leaves) * (1 + columns) + 600 * leaves
    return boosting_trees(learning_rate) * a_tree * outputs(shape)


def boosting_trees(learning_rate: float) -> float:
    """About how many rounds a booster grows until it stops early: its rates add up to about 15."""
    return USUAL_PROGRESS / learning_rate
