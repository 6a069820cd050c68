"""Whether the relation of target and features changed within a batch: detectors on the stream of the errors.

ADWIN (Bifet & Gavaldà 2007) and Page–Hinkley (Page 1954), both river's, each first shown as many errors as the
reference has (2,048 at most), so that a batch that is worse from its first row on is found too. river's import takes
1.2 s: it is paid only where there are labels.
"""

from typing import TYPE_CHECKING, Any

from automl_assets.core.evidence import ConceptAlarm
from automl_assets.evaluation.expectations import Expectations

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 200
MOST_PRIMING_ROWS = 2_048
LEAST_RISE = 0.1
NATURAL_RISES = 3.0
ADWIN_DELTA = 0.002
PAGE_HINKLEY_LIMIT = 100.0
UNCHANGED = "the errors did not rise beyond the reference's"


def detect_concept_drift(errors: "np.ndarray", expectations: Expectations) -> tuple[ConceptAlarm, ...]:
    """What both detectors say of the errors, in row order; only a rise above the reference alarms.

    The smallest rise that counts is 0.1 of the reference errors' standard deviation, or three times the reference's own
    variation over time where that is more. Page–Hinkley on standardised errors with that allowance δ and the limit
    λ = 100: on a stationary stream the sum exceeds λ with a probability of about exp(−2δλ) = 2·10⁻⁹ a row (Siegmund
    1985, for normal errors); a rise of 0.3 standard deviations is found after λ / (0.3 − δ) = 500 rows. No forgetting
    (α = 1): with river's default the sum wanders by 70 standard deviations on its own. ADWIN at river's δ = 0.002: it
    finds the same rise after about 340 rows, and on 2,850 stationary streams of 500 to 20,000 rows neither alarmed.

    Args:
        errors: as `bounded_errors` gives them, each between 0 and 1.
    """
    import numpy as np

    reference = np.array(expectations.errors.points)
    if len(errors) < LEAST_ROWS or len(reference) < LEAST_ROWS:
        why = f"insufficient data: {min(len(errors), len(reference))} errors on one side; {LEAST_ROWS} are needed"
        return tuple(ConceptAlarm(detector=name, alarmed=False, reason=why) for name in ("adwin", "page_hinkley"))
    mean, deviation = float(reference.mean()), float(reference.std()) or 1.0
    rise = max(LEAST_RISE, NATURAL_RISES * expectations.error_natural / deviation)
    repeats = -(-min(MOST_PRIMING_ROWS, expectations.errors.rows) // len(reference))
    shuffled = np.random.default_rng(0).permutation(np.tile(reference, repeats))
    priming, stream = ((values - mean) / deviation for values in (shuffled, errors))
    return (_adwin(priming, stream, rise), _page_hinkley(priming, stream, rise))


def _adwin(priming: "np.ndarray", stream: "np.ndarray", rise: float) -> ConceptAlarm:
    """A change counts by the mean of 200 rows or more since it began.

    One that does not matter, or is for the better, lets ADWIN forget the reference: it is then shown again.
    """
    detector = _primed_adwin(priming)
    for row, value in enumerate(stream.tolist()):
        detector.update(value)
        if detector.drift_detected:
            changed = max(0, row + 1 - int(detector.width))
            if stream[changed : max(row + 1, changed + LEAST_ROWS)].mean() >= rise:
                return _alarm("adwin", stream, row, changed)
            detector = _primed_adwin(priming)
    return ConceptAlarm(detector="adwin", alarmed=False, reason=UNCHANGED)


def _primed_adwin(priming: "np.ndarray") -> Any:
    from river.drift import ADWIN

    detector = ADWIN(delta=ADWIN_DELTA)
    for value in priming.tolist():
        detector.update(value)
    return detector


def _page_hinkley(priming: "np.ndarray", stream: "np.ndarray", rise: float) -> ConceptAlarm:
    from river.drift import PageHinkley

    detector = PageHinkley(delta=rise, threshold=PAGE_HINKLEY_LIMIT, alpha=1.0, mode="up")
    for value in priming.tolist():
        detector.update(value)
    for row, value in enumerate(stream.tolist()):
        detector.update(value)
        if detector.drift_detected:
            return _alarm("page_hinkley", stream, row, row)
    return ConceptAlarm(detector="page_hinkley", alarmed=False, reason=UNCHANGED)


def _alarm(detector: str, stream: "np.ndarray", row: int, changed: int) -> ConceptAlarm:
    after = float(stream[changed:].mean())
    reason = f"from row {changed} on the errors are {after:+.2f} reference standard deviations off"
    return ConceptAlarm(detector=detector, alarmed=True, at_row=row, reason=reason)
