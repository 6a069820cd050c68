"""A date as parts of the calendar and as places on its circles."""

from dataclasses import dataclass
from typing import ClassVar

from automl_assets.learn.features.columns._calendar import PARTS, PERIODS
from automl_assets.learn.features.columns.parts import PartsEncoder


@dataclass(frozen=True)
class CyclesEncoder(PartsEncoder):
    """The parts, and sine and cosine of month, day of the week, hour and day of the year.

    December is then as near to January as to November, which a linear model can't learn from the numbers 12, 1 and 11.
    """

    names: ClassVar[tuple[str, ...]] = PARTS + tuple(f"{wave} of {part}" for part in PERIODS for wave in ("sin", "cos"))
