"""Notices: one a cause and day, one process at a time, and nothing lost, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from automl_assets.core.records import Notice
from resources.platform_database import PlatformDatabase, close_all
from resources.records.notices import Notices
from tests.conftest import postgres_database

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgres"])
def notices(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Notices]:
    if request.param == "sqlite":
        yield Notices(PlatformDatabase(f"sqlite:///{tmp_path / 'platform.db'}"))
        return
    with postgres_database() as url:
        yield Notices(PlatformDatabase(url.replace("+psycopg2", "")))
        close_all()


def notice(key: str = "k", pipeline: str = "churn", **more: Any) -> Notice:
    return Notice(
        **{"pipeline": pipeline, "severity": "warning", "title": "t", "body": "b", "key": key, "at": AT, **more}
    )


def test_what_was_added_comes_back(notices: Notices) -> None:
    written = notice(severity="critical", title="drift — ä 100%", body="one\ntwo", delivered=("log",), error="no")
    assert notices.add(written)
    (read,) = notices.of("churn")
    assert read == replace(written, id=read.id)
    assert notices.of("nobody") == []
    assert notices.add(notice("later"))
    assert [n.key for n in notices.of("churn", most=1)] == ["later"]


@pytest.mark.parametrize(
    ("second", "written"),
    [
        (notice(), False),
        (notice(at=AT + 23 * HOUR, title="other words"), False),
        (notice(at=AT + 24 * HOUR), True),
        (notice("other"), True),
        (notice(pipeline="ames"), True),
    ],
)
def test_an_equal_key_within_a_day_is_not_written_again(notices: Notices, second: Notice, written: bool) -> None:
    assert notices.add(notice())
    assert notices.add(second) is written
    assert len(notices.of("churn")) + len(notices.of("ames")) == 1 + written


def test_one_that_was_sent_counts_too(notices: Notices) -> None:
    notices.add(notice())
    (due,) = notices.due(AT, hold_seconds=60)
    notices.settle(replace(due, state="sent"))
    assert not notices.add(notice(at=AT + HOUR))


def test_of_many_that_add_the_same_at_once_one_does(notices: Notices) -> None:
    notices.of("churn")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: notices.add(notice()), range(24)))
    assert added.count(True) == 1
    assert len(notices.of("churn")) == 1


def test_keys_longer_than_the_column_differ_where_they_differ(notices: Notices) -> None:
    long = "late:" + "x" * 400
    assert [notices.add(notice(long + end)) for end in "aab"] == [True, False, True]
    assert all(len(n.key) == 256 for n in notices.of("churn"))


def test_what_is_due_is_given_to_one_until_the_hold_ends(notices: Notices) -> None:
    for key in "ab":
        notices.add(notice(key))
    assert [n.key for n in notices.due(AT, hold_seconds=60)] == ["a", "b"]
    assert notices.due(AT + timedelta(seconds=59), hold_seconds=60) == []
    assert [n.key for n in notices.due(AT + timedelta(seconds=60), hold_seconds=60)] == ["a", "b"]


def test_of_many_that_ask_at_once_each_gets_others(notices: Notices) -> None:
    for i in range(20):
        notices.add(notice(str(i)))
    with ThreadPoolExecutor(6) as pool:
        given = list(pool.map(lambda _: notices.due(AT, hold_seconds=60), range(6)))
    assert sorted(int(n.key) for part in given for n in part) == list(range(20))


def test_what_became_of_it_is_written_down_and_it_comes_again_when_its_time_has_come(notices: Notices) -> None:
    notices.add(notice())
    (due,) = notices.due(AT, hold_seconds=60)
    notices.settle(replace(due, attempts=1, delivered=("log",), error="webhook: no", next_try=AT + HOUR))
    assert notices.due(AT + 0.99 * HOUR, hold_seconds=60) == []
    (again,) = notices.due(AT + HOUR, hold_seconds=60)
    assert (again.attempts, again.delivered, again.error) == (1, ("log",), "webhook: no")
    notices.settle(replace(again, state="sent", error="", next_try=None))
    assert notices.due(AT + 48 * HOUR, hold_seconds=60) == []
    notices.settle(replace(again, state="failed"))
    assert notices.of("churn")[0].state == "sent", "what is settled stays so"


def test_put_off_until_then_or_due_at_once(notices: Notices) -> None:
    for key in "ab":
        notices.add(notice(key))
    due = notices.due(AT, hold_seconds=600)
    notices.put_off(due[:1], None)
    notices.put_off(due[1:], AT + HOUR)
    assert [n.key for n in notices.due(AT, hold_seconds=0)] == ["a"]
    assert [n.key for n in notices.due(AT + HOUR, hold_seconds=0)] == ["a", "b"]


def test_a_digest_takes_the_place_of_its_members(notices: Notices) -> None:
    for key in "abc":
        notices.add(notice(key))
    due = notices.due(AT, hold_seconds=60)
    digest = notices.fold(notice("digest:churn:1", title="3 messages"), due, hold_until=AT + HOUR)
    assert digest.id > due[-1].id
    assert [n.state for n in notices.of("churn")] == ["pending", "folded", "folded", "folded"]
    assert {n.error for n in notices.of("churn")[1:]} == {f"in the digest {digest.id}"}
    assert notices.due(AT + HOUR - timedelta(seconds=1), hold_seconds=60) == []
    assert [n.id for n in notices.due(AT + HOUR, hold_seconds=60)] == [digest.id]


def test_the_recent_ones_are_of_all_pipelines_and_states(notices: Notices) -> None:
    notices.add(notice("old", at=AT - HOUR))
    notices.add(notice("a"))
    notices.add(notice("b", pipeline="ames", state="sent"))
    assert [n.key for n in notices.recent(AT)] == ["b", "a"]


def test_old_ones_are_forgotten_unless_they_wait(notices: Notices) -> None:
    notices.add(notice("waits", at=AT - 48 * HOUR))
    notices.add(notice("sent", at=AT - 48 * HOUR, state="sent"))
    notices.add(notice("new", state="sent"))
    assert notices.purge(AT - HOUR) == 1
    assert {n.key for n in notices.of("churn")} == {"waits", "new"}
