"""What a problem type is: which targets it takes, its default metric, and how its holdout is stratified."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from automl_assets.core.values import ColumnType

MOST_WHOLE_NUMBERS = 20


@dataclass(frozen=True)
class TargetFacts:
    """What is known of a target: its type, and the rows a label has, missing ones left out.

    `labels` is cut after the 1,001 most frequent ones; `fractional` says whether any value is no whole number.
    """

    name: str
    type: ColumnType
    rows: int
    missing: int
    infinite: int
    fractional: bool
    labels: dict[str, int]
    distinct: int


class ProblemType(ABC):
    """A problem type, its file's name.

    `order`: which type is asked first when the kind is `auto`; `strata`: what the holdout is stratified by.
    """

    order: ClassVar[int]
    default_metric: ClassVar[str]
    strata: ClassVar[Literal["class", "quantile"]]

    @classmethod
    @abstractmethod
    def why_not(cls, target: TargetFacts) -> str | None:
        """Why the target can't be of this type, or None when it can."""

    @classmethod
    @abstractmethod
    def is_natural(cls, target: TargetFacts) -> bool:
        """Whether a target that can be of this type is, when nobody says otherwise."""

    @classmethod
    def classes(cls, target: TargetFacts) -> tuple[str, ...]:
        """The class labels in the order of their indices; empty for numbers. The positive class comes last."""
        return ()
