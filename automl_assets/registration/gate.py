"""Whether a new version becomes the champion: a pure decision from what was measured."""

from dataclasses import dataclass
from typing import Literal

from automl_assets.core.values import Interval

Policy = Literal["if_better", "always", "never", "ask"]
LEAST_SLICE_ROWS = 100
MOST_CALIBRATION_LOSS = 0.02
MOST_TIMES_SLOWER = 3.0
LEAST_SLOW_MS = 50.0


@dataclass(frozen=True)
class Sides:
    """The same measure of both."""

    challenger: float
    champion: float


@dataclass(frozen=True)
class SliceGain:
    """The gain on the rows that share a value of a sensitive column; positive is better."""

    column: str
    group: str
    rows: int
    gain: Interval


@dataclass(frozen=True)
class CalibrationLoss:
    """Both expected calibration errors, between 0 and 1, and by how much the challenger's is larger."""

    error: Sides
    loss: Interval


@dataclass(frozen=True)
class Comparison:
    """Champion and challenger on the same rows, in neither's training data; `gain` is None where there are none.

    scores: the metric of each. calibration: of probabilities only. row_ms: each one's median milliseconds for a row.
    """

    champion_version: str
    rows: int
    gain: Interval | None
    champion_fits_schema: bool = True
    challenger_fits_schema: bool = True
    scores: Sides | None = None
    slices: tuple[SliceGain, ...] = ()
    calibration: CalibrationLoss | None = None
    row_ms: Sides | None = None


@dataclass(frozen=True)
class Decision:
    """Whether the alias moves, and why. `shadow`: it would, but the challenger scores beside the champion first."""

    promote: bool
    review: bool
    reason: str
    shadow: bool = False


def decide_promotion(
    policy: Policy, comparison: Comparison | None, metric: str, *, shadow_batches: int = 0
) -> Decision:
    """Apply the policy. Without a champion (no comparison), `if_better` and `always` promote.

    A tie keeps the champion, unless it can't score the current schema; where nothing can be compared, or where a better
    challenger harms a group, its calibration or its latency, the champion stays and a review is requested.

    Args:
        shadow_batches: how many batches a challenger scores beside a champion that still can, before it replaces it.
    """
    decision = _decide(policy, comparison, metric)
    if not (shadow_batches and decision.promote and comparison is not None and comparison.champion_fits_schema):
        return decision
    batches = "the next batch" if shadow_batches == 1 else f"the next {shadow_batches} batches"
    return Decision(False, False, f"{decision.reason}; first it scores {batches} beside the champion", shadow=True)


def _decide(policy: Policy, comparison: Comparison | None, metric: str) -> Decision:
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
    if not comparison.challenger_fits_schema:
        return Decision(False, True, f"not comparable with version {version}: it can't score the shared rows itself")
    gain = comparison.gain
    if gain is None:
        return Decision(False, True, f"not comparable with version {version}: no rows that neither was trained on")
    if gain.value != gain.value:
        return Decision(False, True, f"not comparable with version {version}: {metric} is undefined on the shared rows")
    measured = f"{metric} {told(gain)} on {comparison.rows:,} rows"
    if not gain.value > 0:
        return Decision(False, False, f"not better than version {version}: {measured}")
    harm = harms(comparison, metric)
    if harm:
        return Decision(False, True, f"better than version {version} ({measured}), but {'; '.join(harm)}")
    return Decision(True, False, f"better than version {version}: {measured}")


def harms(comparison: Comparison, metric: str) -> tuple[str, ...]:
    """What speaks against a challenger that is better on the whole, in sentences.

    A slice of at least 100 rows on which it is worse with an interval below zero; a calibration error that grows by
    more than 0.02 and more than by chance; a row that takes 3 times as long and more than 50 ms.
    """
    found = [
        f"worse where {one.column} is {one.group}: {metric} {told(one.gain)} on {one.rows:,} rows"
        for one in comparison.slices
        if one.rows >= LEAST_SLICE_ROWS and one.gain.high < 0
    ]
    calibration, row_ms = comparison.calibration, comparison.row_ms
    if calibration is not None and calibration.loss.value > MOST_CALIBRATION_LOSS and calibration.loss.low > 0:
        error = calibration.error
        found.append(f"its calibration error is {error.challenger:.3f} instead of {error.champion:.3f}")
    slower = row_ms is not None and row_ms.challenger > MOST_TIMES_SLOWER * row_ms.champion
    if row_ms is not None and slower and row_ms.challenger > LEAST_SLOW_MS:
        found.append(f"a row takes {row_ms.challenger:.0f} ms instead of {row_ms.champion:.0f}")
    return tuple(found)


def told(gain: Interval) -> str:
    """A gain and its interval as people read it."""
    return f"{gain.value:+.5g} [{gain.low:+.5g}, {gain.high:+.5g}]"
