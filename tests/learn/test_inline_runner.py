import warnings

import pytest

from automl_assets.learn.inline_runner import InlineRunner


@pytest.mark.parametrize(
    ("call", "arguments", "kind", "value", "told"),
    [
        ("operator:add", {}, "error", None, "TypeError"),
        ("json:loads", {"s": "[1, 2.5]"}, "ok", [1, 2.5], ""),
        ("json:loads", {"s": "{"}, "error", None, "JSONDecodeError"),
        ("nowhere:f", {}, "error", None, "ModuleNotFoundError"),
        ("tests.learn.test_inline_runner:runs_out_of_memory", {}, "memory", None, "full"),
        ("tests.learn.test_inline_runner:a_tuple_after_a_warning", {}, "ok", [1, 2], ""),
    ],
)
def test_a_call_ends_as_it_would_in_a_child(call: str, arguments: dict, kind: str, value: object, told: str) -> None:
    outcome = InlineRunner().run(call, arguments, deadline_seconds=1, memory_mb=1)

    assert (outcome.kind, outcome.value) == (kind, value)
    assert told in outcome.message


def test_a_submitted_task_has_ended_and_is_handed_out_once() -> None:
    with InlineRunner() as runner:
        task = runner.submit("json:loads", {"s": "3"}, deadline_seconds=1, memory_mb=1)
        runner.cancel(task)

        assert runner.next_ended(0) is task
        assert runner.next_ended(0) is None
        assert task.outcome().value == 3


def runs_out_of_memory() -> None:
    raise MemoryError("full")


def a_tuple_after_a_warning() -> tuple[int, int]:
    warnings.warn("loud", stacklevel=1)
    return 1, 2
