"""A date as numbers of the calendar."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl_assets.core.errors import StorageError
from automl_assets.learn.features.cells import Cells
from automl_assets.learn.features.columns._base import OneColumn
from automl_assets.learn.features.columns._calendar import PARTS, calendar
from automl_assets.learn.features.target import FitContext

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PartsEncoder(OneColumn):
    """Parts of the calendar in UTC and days since the first training date; a part constant in training is left out.

    Monday is day 0 of the week; weeks are those of ISO 8601. Where training had missing dates, a flag says so.
    """

    role: ClassVar[str] = "datetime"
    names: ClassVar[tuple[str, ...]] = PARTS

    parts: tuple[str, ...]
    start: int
    indicates: bool

    @classmethod
    def fit(cls, name: str, cells: Cells, context: FitContext) -> Self:
        import numpy as np

        times = cells.times
        known = times[~np.isnat(times)]
        start = int(known.min().astype(np.int64)) if len(known) else 0
        every = cls(name, context.view, cls.names, start, context.indicates and len(known) < len(times))
        values = calendar(known, start, cls.names)
        kept = [i for i, part in enumerate(values.T) if len(part) and part.min() < part.max()]
        return replace(every, parts=tuple(cls.names[i] for i in kept))

    def encode(self, cells: Cells) -> "np.ndarray":
        import numpy as np

        values = calendar(cells.times, self.start, self.parts)
        return np.column_stack([values, np.isnat(cells.times)]) if self.indicates else values

    def feature_names(self) -> list[str]:
        return [f"{self.name} {part}" for part in self.parts] + [f"{self.name} is missing"] * self.indicates

    def number_outputs(self) -> list[int]:
        return list(range(len(self.parts)))

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The encoder that `to_json` described, also of before 0.2 in the view ``codes``.

        Raises:
            StorageError: it is an older one of the view ``dense``, which had other columns.
        """
        if "encoders" not in document:
            return super().from_json(document)
        if document["view"] == "dense" and document["parts"]:
            raise StorageError(
                f"The encoder of the date {document['name']!r} is of an older format.", remedy="Train again."
            )
        return super().from_json({**document, "start": 0, "indicates": False})
