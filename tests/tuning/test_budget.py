import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.tuning.budget import Clock


def test_a_new_clock_has_the_whole_budget(tmp_path: Path) -> None:
    clock = Clock(10.0, tmp_path / "clock.json")

    assert clock.spent() == pytest.approx(0.0, abs=0.5)
    assert clock.left() == pytest.approx(10.0, abs=0.5)


def test_a_retry_goes_on_from_the_seconds_that_were_noted(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(json.dumps({"seconds": 7.5}))

    clock = Clock(10.0, file)

    assert clock.left() == pytest.approx(2.5, abs=0.5)
    assert clock.stop_at() - time.monotonic() == pytest.approx(2.5, abs=0.5)


def test_what_was_spent_before_is_saved_with_what_is_spent_now(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(json.dumps({"seconds": 3.0}))

    Clock(10.0, file).save(at_once=True)

    assert 3.0 <= json.loads(file.read_text())["seconds"] < 3.5


def test_an_overrun_budget_is_negative_and_a_restart_forgets_it(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    file.write_text(json.dumps({"seconds": 99}))
    clock = Clock(10.0, file)
    assert clock.left() < 0

    clock.restart()

    assert clock.left() == pytest.approx(10.0, abs=0.5)


def test_seconds_are_noted_at_most_once_a_second(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock = Clock(10.0, file)
    clock.save()
    file.write_text("untouched")

    clock.save()
    assert file.read_text() == "untouched"
    clock.save(at_once=True)
    assert "seconds" in file.read_text()


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.text(max_size=30), st.sampled_from(['{"seconds": 4', "[]", "3", "null", '{"second": 4}'])))
def test_a_file_that_is_no_clock_counts_as_nothing_spent(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("clock") / "clock.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    assert Clock(10.0, file).spent() == pytest.approx(0.0, abs=0.5)
