from typing import Any

import numpy as np
import pytest

from automl_assets.core.evidence import ConceptAlarm
from automl_assets.evaluation.expectations import Expectations, sketch_of
from automl_assets.monitoring.concept import LEAST_ROWS, detect_concept_drift


def errors(rows: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """What a calibrated classifier's true class lacks; `shift` in standard deviations."""
    generator = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-generator.normal(0, 1.5, rows)))
    found = np.where(generator.random(rows) < p, 1 - p, p)
    return np.clip(found + shift * 0.23, 0, 1)


def expectations(seed: int = 0, rows: int = 5_000, **changed: Any) -> Expectations:
    sketch = sketch_of(errors(rows, seed))
    facts = {"metric": "roc_auc", "rows": rows, "realised": None, "estimated": None, "predictions": sketch,
             "errors": sketch, "error_scale": 1.0, "error_natural": 0.0}  # fmt: skip
    return Expectations.model_validate({**facts, **changed})


def alarms(found: tuple[ConceptAlarm, ...]) -> list[bool]:
    return [alarm.alarmed for alarm in found]


@pytest.mark.parametrize(("rows", "streams"), [(500, 60), (2_000, 40), (20_000, 6)])
def test_stationary_streams_do_not_alarm(rows: int, streams: int) -> None:
    found = [detect_concept_drift(errors(rows, 100 + s), expectations(seed=s)) for s in range(streams)]

    assert sum(any(alarms(both)) for both in found) == 0  # of 2,850 streams none did (docstring)


@pytest.mark.parametrize(("shift", "latest"), [(0.3, 1_000), (0.6, 400)])
def test_a_batch_that_is_worse_from_its_first_row_is_found(shift: float, latest: int) -> None:
    for seed in range(10):
        found = detect_concept_drift(errors(2_000, 50 + seed, shift), expectations())
        assert alarms(found) == [True, True]
        assert all(alarm.at_row is not None and alarm.at_row < latest for alarm in found)


def test_a_change_within_the_batch_is_placed() -> None:
    stream = np.concatenate([errors(3_000, 1), errors(1_500, 2, shift=0.8)])

    for alarm in detect_concept_drift(stream, expectations()):
        assert alarm.alarmed
        assert alarm.at_row is not None
        assert 3_000 <= alarm.at_row <= 3_300
        assert "standard deviations" in alarm.reason


@pytest.mark.parametrize("shift", [-0.5, 0.04])
def test_a_change_for_the_better_or_of_no_matter_does_not_alarm(shift: float) -> None:
    assert alarms(detect_concept_drift(errors(8_000, 3, shift), expectations())) == [False, False]


def test_what_varies_by_itself_may_vary() -> None:
    stream = errors(2_000, 4, shift=0.5)

    assert alarms(detect_concept_drift(stream, expectations())) == [True, True]
    assert alarms(detect_concept_drift(stream, expectations(error_natural=0.05))) == [False, False]


def test_a_change_for_the_better_does_not_hide_a_later_one_for_the_worse() -> None:
    stream = np.concatenate([errors(3_000, 5, -0.6), errors(2_000, 6, 0.6)])

    adwin, _ = detect_concept_drift(stream, expectations())

    assert adwin.alarmed
    assert adwin.at_row is not None
    assert adwin.at_row >= 3_000


@pytest.mark.parametrize(("rows", "reference"), [(LEAST_ROWS - 1, 5_000), (5_000, LEAST_ROWS - 1)])
def test_few_errors_are_insufficient_data(rows: int, reference: int) -> None:
    found = detect_concept_drift(errors(rows, 0, 2.0), expectations(rows=reference))

    assert [alarm.detector for alarm in found] == ["adwin", "page_hinkley"]
    assert alarms(found) == [False, False]
    assert all(alarm.reason.startswith(f"insufficient data: {LEAST_ROWS - 1} errors") for alarm in found)


def test_a_model_that_was_never_wrong_may_become_so() -> None:
    perfect = sketch_of(np.zeros(1_000))
    stream = np.concatenate([np.zeros(500), np.ones(1_000)])

    assert alarms(detect_concept_drift(stream, expectations(errors=perfect))) == [True, True]
    assert alarms(detect_concept_drift(np.zeros(1_000), expectations(errors=perfect))) == [False, False]
