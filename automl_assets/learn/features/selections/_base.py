"""What a feature selection is: a score a feature, by which some are kept."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


class Selection(ABC):
    """Judges features; `selects` is false where all of them stay."""

    selects: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def scores(cls, matrix: "np.ndarray", categorical: Sequence[int], context: FitContext) -> "np.ndarray":
        """A score a column of the training matrix, the higher the better; none of the columns is constant.

        Raises:
            ConfigError: it needs a target, and there is none.
        """


@dataclass(frozen=True)
class Kept:
    """The positions that stay, in order, and why each of the others does not, by its name."""

    positions: tuple[int, ...]
    dropped: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls,
        method: type[Selection],
        matrix: "np.ndarray",
        names: Sequence[str],
        categorical: Sequence[int],
        context: FitContext,
    ) -> Self:
        """Constant features go whatever the method; then those with the lowest scores; at least one stays."""
        import numpy as np

        varied = np.flatnonzero([_varies(column) for column in matrix.T])
        dropped = {names[i]: "constant in training" for i in sorted({*range(len(names))} - set(varied.tolist()))}
        where = {int(old): new for new, old in enumerate(varied)}
        inner = [where[i] for i in categorical if i in where]
        scores = method.scores(matrix[:, varied], inner, context) if len(varied) else np.empty(0)
        recipe = context.recipe
        many = recipe.selection_count or max(1, round(recipe.selection_share * len(names)))
        best = set(varied[np.argsort(-scores, kind="stable")[:many]].tolist())
        for position, score in zip(varied.tolist(), scores.tolist(), strict=True):
            if position not in best:
                dropped[names[position]] = f"{recipe.selection} {score:.4g}"
        return cls(tuple(sorted(best)), tuple(dropped.items()))

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild it."""
        return {"positions": list(self.positions), "dropped": dict(self.dropped)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """What `to_json` described."""
        return cls(tuple(document["positions"]), tuple(document["dropped"].items()))


def _varies(column: "np.ndarray") -> bool:
    import numpy as np

    missing = np.isnan(column)
    known = column[~missing]
    return bool(len(known)) and (bool(missing.any()) or bool(known.min() < known.max()))
