"""Messages that are due are sent once, tried again, told in digests, and survive a kill, by a real server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from automl_assets.core.errors import StorageError
from automl_assets.core.records import Notice
from automl_assets.monitoring.alerts import Channel
from automl_assets.monitoring.alerts.log import Log
from automl_assets.monitoring.alerts.webhook import Webhook
from automl_assets.monitoring.routing import Routing
from resources.platform_database import PlatformDatabase
from resources.records.notices import Notices
from sensors.alerts import Delivered, build, deliver_due
from tests.monitoring.alerts.servers import Endpoint, serving

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class Platform:
    """A database with notices, and a clock."""

    database: PlatformDatabase
    at: datetime = START
    notices: Notices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = Notices(self.database)

    def add(self, key: str, pipeline: str = "churn", **more: Any) -> None:
        written = Notice(pipeline, more.pop("severity", "warning"), f"title {key}", "body", key, at=self.at, **more)
        assert self.notices.add(written)

    def deliver(self, routing: Routing, minutes: float = 0.0, **more: Any) -> Delivered:
        self.at += timedelta(minutes=minutes)
        return deliver_due(self.database, routing, now=lambda: self.at, **more)

    def states(self, pipeline: str = "churn") -> list[str]:
        return [notice.state for notice in reversed(self.notices.of(pipeline))]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(PlatformDatabase.of(tmp_path, None))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint()) as endpoint:
        yield endpoint


def hook(endpoint: Endpoint) -> Webhook:
    return Webhook.model_validate({"url": endpoint.url(), "allow_private": True, "allow_http": True})


def routing(*channels: Channel, **others: list[Channel]) -> Routing:
    return Routing({"churn": list(channels), **others})


def test_500_then_200_delivers_exactly_once_to_each_channel(
    platform: Platform, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.statuses[:] = [500, 200]
    to = routing(Log(), hook(endpoint))
    platform.add("a")
    first = platform.deliver(to)
    assert first.sentence() == "Sent 0 of 1 messages; tried again later: churn: webhook: 127.0.0.1 answered 500."
    assert platform.deliver(to, 0.9).sentence() == "No message is due."
    assert platform.deliver(to, 0.2).sentence() == "Sent 1 of 1 messages."
    assert platform.deliver(to, 600).due == 0
    assert len(endpoint.heard) == 2
    assert len({heard.headers["Idempotency-Key"] for heard in endpoint.heard}) == 1
    assert caplog.text.count("title a") == 1
    (notice,) = platform.notices.of("churn")
    assert (notice.state, notice.attempts, notice.delivered, notice.error) == ("sent", 2, ("log", "webhook"), "")


def test_a_channel_that_stays_down_is_given_up_after_a_day(platform: Platform, endpoint: Endpoint) -> None:
    endpoint.statuses[:] = [503]
    platform.add("a")
    while platform.states() == ["pending"]:
        assert platform.deliver(routing(hook(endpoint))).due == 1
        platform.at = platform.notices.of("churn")[0].next_try or platform.at
    assert platform.states() == ["failed"]
    assert len(endpoint.heard) == 30, "after 1, 2, 4, … 32 minutes, then hourly"
    assert platform.at - START < timedelta(hours=25.1)


def test_a_storm_becomes_one_message_and_nothing_is_lost(platform: Platform, endpoint: Endpoint) -> None:
    for i in range(8):
        platform.add(str(i))
    told = platform.deliver(routing(hook(endpoint)))
    assert told.sentence() == "Sent 1 of 1 messages; 8 are told in digests."
    assert len(endpoint.heard) == 1
    assert all(f"title {i}".encode() in endpoint.heard[0].body for i in range(8))
    assert platform.states() == ["folded"] * 8 + ["sent"]
    platform.add("later")
    assert platform.deliver(routing(hook(endpoint)), 1).sentence() == "Sent 1 of 1 messages."


def test_after_a_storm_messages_wait_for_the_next_digest(platform: Platform, endpoint: Endpoint) -> None:
    to = routing(hook(endpoint))
    for i in range(6):
        platform.add(str(i))
    platform.deliver(to)
    for i in range(6, 12):
        platform.add(str(i))
    assert platform.deliver(to, 1).sentence() == "6 wait for the next digest or tick."
    assert platform.deliver(to, 8).due == 0
    assert platform.deliver(to, 1.1).sentence() == "Sent 1 of 1 messages; 6 are told in digests."
    assert len(endpoint.heard) == 2


def test_a_storm_over_many_pipelines_is_one_message_for_those_who_share_channels(
    platform: Platform, endpoint: Endpoint
) -> None:
    with serving(Endpoint()) as alone:
        for i in range(30):
            platform.add("x", f"p{i}")
        platform.add("x", "churn")
        others: dict[str, list[Channel]] = {f"p{i}": [hook(endpoint)] for i in range(30)}
        told = platform.deliver(routing(hook(alone), **others))
    assert told.sentence() == "Sent 2 of 2 messages; 30 are told in digests."
    assert (len(endpoint.heard), len(alone.heard)) == (1, 1)
    assert b"30 messages of 30 pipelines" in endpoint.heard[0].body


def test_two_processes_at_once_send_each_message_once(platform: Platform, endpoint: Endpoint) -> None:
    for i in range(5):
        platform.add(str(i))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: platform.deliver(routing(hook(endpoint))), range(4)))
    assert len(endpoint.heard) == 5
    assert platform.states() == ["sent"] * 5


def test_one_that_is_killed_between_sending_and_writing_down_sends_again_with_the_same_key(
    platform: Platform, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.add("a")
    with monkeypatch.context() as killed:
        killed.setattr(Notices, "settle", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            platform.deliver(routing(hook(endpoint)))
    assert platform.deliver(routing(hook(endpoint)), 0.5).due == 0, "it is held a minute"
    assert platform.deliver(routing(hook(endpoint)), 0.6).sent == 1
    assert len({heard.headers["Idempotency-Key"] for heard in endpoint.heard}) == 1


def test_what_there_was_no_time_for_comes_next(platform: Platform, endpoint: Endpoint) -> None:
    for i in range(3):
        platform.add(str(i))
    told = platform.deliver(routing(hook(endpoint)), seconds=0.0)
    assert told.sentence() == "3 wait for the next digest or tick."
    assert platform.deliver(routing(hook(endpoint))).sent == 3


def test_a_silent_channel_holds_up_nobody_for_long(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Webhook, "timeout_seconds", 0.2)
    with serving(Endpoint(silent=threading.Event())) as silent, serving(Endpoint()) as sound:
        for i in range(4):
            platform.add(str(i))
            platform.add(str(i), "ames")
        told = platform.deliver(routing(hook(silent), ames=[hook(sound)]), seconds=5)
        assert (told.sent, len(told.errors)) == (4, 4)
        assert (len(silent.heard), len(sound.heard)) == (1, 4)


def test_the_sensor_says_what_it_did(platform: Platform, endpoint: Endpoint) -> None:
    sensor = build(routing(hook(endpoint)), lambda: platform.database)
    assert tick(sensor) == "No message is due."
    platform.add("k", severity="critical")
    assert tick(sensor) == "Sent 1 of 1 messages."
    assert len(endpoint.heard) == 1


def test_a_database_that_does_not_answer_fails_the_tick_and_no_more() -> None:
    with pytest.raises(StorageError, match="refused"):
        tick(build(routing(Log()), lambda: PlatformDatabase("postgresql://127.0.0.1:1/x")))


def test_a_tick_pays_for_no_heavy_library() -> None:
    modules = "sensors.alerts, sensors.late_batches, sensors.run_failures"
    heavy = "{'pandas', 'numpy', 'evidently', 'mlflow', 'sklearn', 'pyarrow', 'apprise', 'river'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def tick(sensor: dg.SensorDefinition) -> str | None:
    return sensor.evaluate_tick(dg.build_sensor_context()).skip_message
