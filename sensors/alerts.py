"""Delivers the messages that are due, once for all pipelines. It reads and writes the platform's database only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import dagster as dg

from automl_assets.core import records
from automl_assets.core.errors import bounded
from automl_assets.core.records import Notice
from automl_assets.monitoring.notify import STORM_WINDOW, Send, deliver, plan
from automl_assets.monitoring.routing import Routing
from resources.platform_database import PlatformDatabase
from resources.records.notices import Notices

INTERVAL_SECONDS = 30
SECONDS_A_TICK = 15.0
HOLD_MARGIN_SECONDS = 45.0
MOST_ERRORS_TOLD = 5


@dataclass
class Delivered:
    """What became of the messages that were due."""

    due: int = 0
    sent: int = 0
    folded: int = 0
    waiting: int = 0
    errors: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The same in words."""
        if not self.due:
            return "No message is due."
        told = [f"Sent {self.sent} of {self.sent + len(self.errors)} messages"] if self.sent or self.errors else []
        told += [f"{self.folded} are told in digests"] if self.folded else []
        told += [f"{self.waiting} wait for the next digest or tick"] if self.waiting else []
        told += [f"tried again later: {bounded(self.errors, MOST_ERRORS_TOLD)}"] if self.errors else []
        return "; ".join(told) + "."


def build(
    routing: Routing, database: Callable[[], PlatformDatabase], *, interval_seconds: int = INTERVAL_SECONDS
) -> dg.SensorDefinition:
    """One sensor for all pipelines. It runs from the start: it tells, and changes nothing."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends the messages that are due to each pipeline's channels, and tries again those that failed.",
    )
    def alerts(_: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(deliver_due(database(), routing).sentence())

    return alerts


def deliver_due(
    database: PlatformDatabase,
    routing: Routing,
    *,
    seconds: float = SECONDS_A_TICK,
    send: Send | None = None,
    now: Callable[[], datetime] = records.now,
) -> Delivered:
    """Send what is due; each message is written down as soon as its channels were tried.

    Two processes may call this at once: a message that one of them took is held from the other. One that is killed
    between sending and writing down sends again, with the same key.

    Raises:
        StorageError: the platform's database does not answer.
    """
    notices = Notices(database)
    hold = timedelta(seconds=seconds + HOLD_MARGIN_SECONDS)
    due = notices.due(now(), hold_seconds=hold.total_seconds())
    if not due:
        return Delivered()
    planned = plan(due, notices.recent(now() - STORM_WINDOW), routing.addressees, now())
    _wait(notices, planned.waiting)
    digests = [notices.fold(d.notice, d.members, hold_until=now() + hold) for d in planned.digests]
    sending = {notice.id: notice for notice in (*planned.single, *digests)}
    result = Delivered(len(due), folded=sum(len(digest.members) for digest in planned.digests))
    for after in deliver(list(sending.values()), routing.addressees, send=send, now=now, seconds=seconds):
        notices.settle(after)
        del sending[after.id]
        if after.state == "sent":
            result.sent += 1
        else:
            result.errors.append(f"{after.pipeline}: {after.error}".rstrip("."))
    if sending:
        notices.put_off(list(sending.values()), None)
    result.waiting = len(planned.waiting) + len(sending)
    return result


def _wait(notices: Notices, waiting: tuple[Notice, ...]) -> None:
    for until in {notice.next_try for notice in waiting}:
        notices.put_off([notice for notice in waiting if notice.next_try == until], until)
