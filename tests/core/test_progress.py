"""Progress is told to whoever listens."""

import pytest

from automl_assets.core.progress import STOP, Progress, listening, stop_requested, tell


def test_messages_reach_every_listener_until_it_stops() -> None:
    first: list[Progress] = []
    second: list[Progress] = []
    messages = [Progress("churn", "problem", "started"), Progress("churn", "problem", "done", seconds=1.5)]
    with listening(first.append):
        tell(messages[0])
        with listening(second.append):
            tell(messages[1])
    tell(Progress("churn", "problem", "failed"))
    assert first == messages
    assert second == messages[1:]


def test_a_listener_is_gone_even_when_the_block_fails() -> None:
    heard: list[Progress] = []
    with pytest.raises(RuntimeError), listening(heard.append):
        raise RuntimeError
    tell(Progress("churn", "problem", "done"))
    assert heard == []


def test_a_stop_is_seen_until_it_is_cleared() -> None:
    assert not stop_requested()
    STOP.set()
    try:
        assert stop_requested()
    finally:
        STOP.clear()
    assert not stop_requested()
