"""How many fits at a time: the machine's setting, a run's tag, never more than cores."""

import pytest

from resources import fit_runner
from resources.fit_runner import WORKERS_TAG, FitRunner


@pytest.mark.parametrize(
    ("limit", "tag", "workers"),
    [
        (None, None, 8), (2, None, 2), (16, None, 8), (2, "6", 6), (None, "3", 3),
        (2, "99", 8), (2, "0", 2), (2, "-1", 2), (2, "all", 2),
    ],
)  # fmt: skip
def test_a_run_s_tag_may_ask_for_more_workers_than_the_setting(
    monkeypatch: pytest.MonkeyPatch, limit: int | None, tag: str | None, workers: int
) -> None:
    monkeypatch.setattr(fit_runner, "usable_cores", lambda: 8)
    tags = {} if tag is None else {WORKERS_TAG: tag}
    assert FitRunner(home="", max_workers=limit).workers(tags) == workers
