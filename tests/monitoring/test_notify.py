"""When a storm becomes a digest, what a failing channel holds up, and when a message is tried again."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core.errors import ProviderError
from automl_assets.core.evidence import Severity
from automl_assets.core.records import Notice
from automl_assets.monitoring.alerts import Channel, Message
from automl_assets.monitoring.alerts.log import Log
from automl_assets.monitoring.alerts.webhook import Webhook
from automl_assets.monitoring.notify import (
    DIGEST,
    deliver,
    message_of,
    next_try,
    plan,
    send_within,
)
from automl_assets.monitoring.routing import Route, Routing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOOK = Webhook.model_validate({"url": "https://a.example/1"})
OTHER = Webhook.model_validate({"url": "https://b.example/2"})


def notice(id: int = 1, pipeline: str = "churn", severity: Severity = "warning", **more: Any) -> Notice:
    return Notice(
        **{
            "pipeline": pipeline, "severity": severity, "title": f"title {id}", "body": "body",
            "key": f"k{id}", "at": NOW, "id": id, **more,
        }
    )  # fmt: skip


def route(pipelines: str, *channels: Channel, least: str = "info") -> Route:
    return Route.model_validate({"pipelines": pipelines, "least_severity": least, "channels": list(channels)})


LOGGED = Routing({name: [Log()] for name in ("churn", "ames", "own")}, [])


def many(count: int, pipeline: str = "churn", start: int = 1, **more: Any) -> list[Notice]:
    return [notice(start + i, pipeline, **more) for i in range(count)]


@pytest.mark.parametrize(
    ("due", "told", "single", "digests", "waiting"),
    [
        (many(5), [], 5, [], 0),
        (many(6), [], 0, [6], 0),
        (many(2), many(3, start=50), 2, [], 0),
        (many(2), many(4, start=50), 0, [2], 0),
        (many(1), many(5, start=50), 1, [], 0),
        (many(5) + many(5, "ames", 20), [], 10, [], 0),
        (many(6) + many(5, "ames", 20), [], 5, [6], 0),
        ([n for i in range(21) for n in many(1, "churn" if i % 2 else "ames", i + 1)], [], 0, [21], 0),
        ([n for i in range(20) for n in many(1, f"p{i}", i + 1)], [], 20, [], 0),
    ],
)
def test_a_storm_becomes_a_digest(
    due: list[Notice], told: list[Notice], single: int, digests: list[int], waiting: int
) -> None:
    recent = due + [Notice(**{**vars(n), "state": "sent", "attempts": 1}) for n in told]
    planned = plan(due, recent, LOGGED.addressees, NOW)
    assert len(planned.single) == single
    assert [len(digest.members) for digest in planned.digests] == digests
    assert len(planned.waiting) == waiting


def test_a_digest_lists_what_it_stands_for_and_is_as_severe_as_the_worst() -> None:
    due = [*many(5, severity="info"), notice(6, severity="critical")]
    (digest,) = plan(due, due, LOGGED.addressees, NOW).digests
    assert (digest.notice.severity, digest.notice.title) == ("critical", "6 messages")
    assert digest.notice.body.splitlines()[::5] == ["[info] churn: title 1", "[critical] churn: title 6"]
    big = plan(many(150), [], LOGGED.addressees, NOW).digests[0].notice
    assert big.body.splitlines()[-1] == "… and 50 more, which `automl history` shows."
    assert len(big.body.splitlines()) == 101


def test_after_a_digest_the_next_comes_ten_minutes_later_and_takes_what_waited() -> None:
    digest = notice(90, key=f"{DIGEST}churn:1", state="sent", at=NOW - 4 * MINUTE)
    told = [Notice(**{**vars(n), "state": "sent", "attempts": 1, "at": NOW - 5 * MINUTE}) for n in many(5, start=50)]
    planned = plan(many(2), [digest, *told], LOGGED.addressees, NOW)
    assert [n.next_try for n in planned.waiting] == [NOW + 6 * MINUTE] * 2
    assert not planned.single
    assert not planned.digests
    later = plan(planned.waiting, [digest, *told], LOGGED.addressees, NOW + 6 * MINUTE)
    assert len(later.single) == 2, "the storm is over"
    stormy = plan(many(7), [digest, *told], LOGGED.addressees, NOW + 6 * MINUTE)
    assert [len(d.members) for d in stormy.digests] == [7]


def test_a_digest_tells_nobody_of_what_is_not_theirs() -> None:
    routing = Routing({"own": [OTHER], "churn": [HOOK], "ames": [HOOK]})
    due = [*many(10, "own"), *many(8, "churn", 20), *many(8, "ames", 40)]
    planned = plan(due, due, routing.addressees, NOW)
    assert sorted(len(digest.members) for digest in planned.digests) == [10, 16]
    for digest in planned.digests:
        theirs = routing.addressees(digest.notice)
        assert all(routing.addressees(member) == theirs for member in digest.members)
    assert {digest.notice.title for digest in planned.digests} == {"10 messages", "16 messages of 2 pipelines"}


def test_what_a_channel_took_already_is_not_in_its_digest() -> None:
    took = many(4, delivered=("log",), attempts=1)
    due = took + many(4, start=20)
    routing = Routing({"churn": [Log(), HOOK]})
    digests = plan(due, due, routing.addressees, NOW).digests
    assert {digest.notice.delivered: len(digest.members) for digest in digests} == {("log",): 4, (): 4}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["churn", "ames", "own", "p1"]),
            st.sampled_from(["info", "warning", "critical"]),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_or_told_twice(made: list[tuple[str, Any, bool]], before: int) -> None:
    routing = Routing({"churn": [Log(), HOOK], "ames": [HOOK], "own": [OTHER]}, [route("*", Log(), least="critical")])
    due = [
        notice(i, pipeline, severity, **({"key": f"{DIGEST}x:{i}"} if is_digest else {}))
        for i, (pipeline, severity, is_digest) in enumerate(made)
    ]
    recent = [notice(1000 + i, state="sent", attempts=1) for i in range(before)]
    planned = plan(due, [*due, *recent], routing.addressees, NOW)
    members = [member for digest in planned.digests for member in digest.members]
    assert sorted(n.id for n in (*planned.single, *members, *planned.waiting)) == [n.id for n in due]
    for digest in planned.digests:
        assert all(routing.addressees(m) == routing.addressees(digest.notice) for m in digest.members)


@pytest.mark.parametrize(
    ("attempts", "age_hours", "minutes"),
    [
        (1, 0, 1),
        (2, 0, 2),
        (3, 0, 4),
        (6, 0, 32),
        (7, 0, 60),
        (40, 23.9, 60),
        (5000, 1, 60),
        (1, 24, None),
        (9, 30, None),
    ],
)
def test_the_wait_doubles_up_to_an_hour_and_ends_after_a_day(
    attempts: int, age_hours: float, minutes: int | None
) -> None:
    expected = None if minutes is None else NOW + minutes * MINUTE
    assert next_try(attempts, NOW - timedelta(hours=age_hours), NOW) == expected


class Fakes:
    """A clock that stands unless told, and channels that fail while they are in `down`."""

    def __init__(self, *down: Channel, cost_seconds: float = 0.0):
        self.down = list(down)
        self.cost = cost_seconds
        self.seconds = 0.0
        self.sent: list[tuple[Channel, str]] = []

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def send(self, channel: Channel, message: Message, seconds: float) -> None:
        self.seconds += min(self.cost, seconds)
        self.sent.append((channel, message.title))
        if channel in self.down:
            raise ProviderError("It is down.", where="here")

    def deliver(self, notices: list[Notice], routing: Routing, seconds: float = 15.0) -> list[Notice]:
        return list(
            deliver(notices, routing.addressees, send=self.send, now=self.now, clock=self.clock, seconds=seconds)
        )


BOTH = Routing({"churn": [Log(), HOOK]})


def test_a_failing_channel_keeps_no_message_from_another_and_only_it_is_tried_again() -> None:
    fakes = Fakes(HOOK)
    (after,) = fakes.deliver([notice()], BOTH)
    assert (after.state, after.delivered, after.attempts) == ("pending", ("log",), 1)
    assert after.error == "webhook: It is down."
    assert after.next_try == NOW + MINUTE
    fakes.down.clear()
    (again,) = fakes.deliver([after], BOTH)
    assert (again.state, again.delivered, again.attempts, again.error) == ("sent", ("log", "webhook"), 2, "")
    assert fakes.sent == [(Log(), "title 1"), (HOOK, "title 1"), (HOOK, "title 1")]


def test_a_channel_that_failed_is_not_asked_again_in_the_same_pass() -> None:
    fakes = Fakes(HOOK)
    after = fakes.deliver(many(3), BOTH)
    assert [channel for channel, _ in fakes.sent] == [Log(), HOOK, Log(), Log()]
    assert [n.attempts for n in after] == [1, 1, 1]
    only = fakes.deliver(many(2), Routing({"churn": [HOOK]}))
    assert [n.attempts for n in only] == [1, 0], "what was not tried is no attempt"
    assert only[1].next_try == NOW + MINUTE


def test_the_time_is_bounded_and_fresh_messages_come_first() -> None:
    fakes = Fakes(cost_seconds=4.0)
    old = notice(1, attempts=3)
    after = fakes.deliver([old, *many(5, start=2)], Routing({"churn": [Log()]}), seconds=10)
    assert [n.id for n in after] == [2, 3, 4]
    assert fakes.seconds == 10.0
    assert all(n.state == "sent" for n in after)


def test_after_a_day_it_is_given_up_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    (after,) = Fakes(HOOK).deliver([notice(at=NOW - timedelta(hours=24), delivered=("log",), attempts=28)], BOTH)
    assert (after.state, after.next_try) == ("failed", None)
    assert "churn: title 1: given up after a day: webhook: It is down." in caplog.text


def test_what_no_channel_wants_is_settled() -> None:
    (after,) = Fakes().deliver([notice()], Routing({}))
    assert (after.state, after.error) == ("sent", "No channel takes notices of this severity.")


def test_a_messages_key_stays_at_a_retry_and_changes_when_the_cause_comes_back() -> None:
    first = message_of(notice())
    assert first.key == "churn/k1@2026-11-21T12:00:00Z"
    assert message_of(notice(attempts=4)).key == first.key
    assert message_of(notice(at=NOW + timedelta(days=1))).key != first.key
    assert message_of(notice(pipeline="ames")).key != first.key


class Broken(Log):
    """A plug-in with a bug, whose error quotes a secret."""

    def deliver(self, message: Message) -> None:
        raise RuntimeError("https://a.example/s3cret")


def test_a_plug_in_that_breaks_is_an_answer_without_its_words() -> None:
    with pytest.raises(ProviderError, match=r"The channel broke \(RuntimeError\)") as refused:
        send_within(Broken(), message_of(notice()), 5)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_channel_that_hangs_is_left_behind() -> None:
    release = threading.Event()

    class Hanging(Log):
        def deliver(self, message: Message) -> None:
            release.wait(10)

    with pytest.raises(ProviderError, match="did not answer within 0 s"):
        send_within(Hanging(), message_of(notice()), 0.05)
    release.set()


def test_by_default_the_channel_itself_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    routing = Routing({"churn": [Log()]})
    (after,) = deliver([notice()], routing.addressees)
    assert after.state == "sent"
    assert "churn: title 1: body" in caplog.text
