"""Whether a new version becomes the champion: a pure decision from what was measured."""

from dataclasses import dataclass
from typing import Literal

from automl_assets.core.values import Interval

Policy = Literal["if_better", "always", "never", "ask"]


@dataclass(frozen=True)
class Comparison:
    """Champion and challenger on the same rows, in neither's training data; `gain` is None where there are none."""

    champion_version: str
    rows: int
    gain: Interval | None
    champion_fits_schema: bool = True


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why."""

    promote: bool
    review: bool
    reason: str


def decide_promotion(policy: Policy, comparison: Comparison | None, metric: str) -> Decision:
    """Apply the policy. Without a champion (no comparison), `if_better` and `always` promote.

    A tie keeps the champion, unless it can't score the current schema; where nothing can be compared, the champion
    stays and a review is requested.
    """
    if policy == "never":
        return Decision(False, False, "registration.promote is never")
    if policy == "ask":
        return Decision(False, True, "registration.promote is ask: a person decides (automl promote)")
    if comparison is None:
        return Decision(True, False, "there was no champion yet")
    version = comparison.champion_version
    if policy == "always":
        return Decision(True, False, f"registration.promote is always; it replaces version {version}")
    if not comparison.champion_fits_schema:
        return Decision(True, False, f"version {version} can't score the current columns")
    gain = comparison.gain
    if gain is None:
        return Decision(False, True, f"not comparable with version {version}: no rows that neither was trained on")
    if gain.value != gain.value:
        return Decision(False, True, f"not comparable with version {version}: {metric} is undefined on the shared rows")
    measured = f"{metric} {gain.value:+.5g} [{gain.low:+.5g}, {gain.high:+.5g}] on {comparison.rows:,} rows"
    if gain.value > 0:
        return Decision(True, False, f"better than version {version}: {measured}")
    return Decision(False, False, f"not better than version {version}: {measured}")
