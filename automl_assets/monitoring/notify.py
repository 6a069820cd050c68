"""When a message is sent, when it becomes part of a digest, and how often it is tried again: pure functions of values.

A message that could not be sent is tried again after 1, 2, 4, … 60 minutes, for a day. More than 5 messages of one
pipeline in 10 minutes, or 20 over all, are a storm: what is due then becomes one digest for each set of channels, and
the next digest of the same kind comes 10 minutes later at the earliest.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from automl_assets.core import records
from automl_assets.core.errors import AutoMLError, ProviderError
from automl_assets.core.records import Notice
from automl_assets.monitoring.alerts._base import SEVERITIES, Channel, Message
from automl_assets.monitoring.routing import EVERY_PIPELINE, Addressee, identity

STORM_WINDOW = timedelta(minutes=10)
MOST_OF_A_PIPELINE = 5
MOST_OVER_ALL = 20
MOST_LINES_OF_A_DIGEST = 100
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=60)
GIVE_UP_AFTER = timedelta(hours=24)
DIGEST = "digest:"
GRACE_SECONDS = 1.0

logger = logging.getLogger("automl.alerts")
Send = Callable[[Channel, Message, float], None]
AddresseesOf = Callable[[Notice], Sequence[Addressee]]


@dataclass(frozen=True)
class Digest:
    """One message in place of several, which all go to the same channels."""

    notice: Notice
    members: tuple[Notice, ...]


@dataclass(frozen=True)
class Plan:
    """What becomes of the notices that are due. Those that wait carry until when as `next_try`."""

    single: tuple[Notice, ...] = ()
    digests: tuple[Digest, ...] = ()
    waiting: tuple[Notice, ...] = ()


def plan(due: Sequence[Notice], recent: Sequence[Notice], addressees: AddresseesOf, now: datetime) -> Plan:
    """Which due notices are sent as they are, which become a digest, which wait for the next one.

    Args:
        due: what is to be sent now.
        recent: every notice of the last `STORM_WINDOW`, in any state.
    """
    plain = [notice for notice in due if not notice.key.startswith(DIGEST)]
    due_ids = {notice.id for notice in due}
    told = [n for n in recent if n.id not in due_ids and _was_told(n) and now - n.at < STORM_WINDOW]
    single = [notice for notice in due if notice.key.startswith(DIGEST)]
    digests: list[Digest] = []
    waiting: list[Notice] = []
    for scope, members, stormy in _scopes(plain, told):
        before = [n.at for n in recent if n.key.startswith(f"{DIGEST}{scope}:") and now - n.at < STORM_WINDOW]
        if not stormy:
            single += members
        elif before:
            waiting += [replace(notice, next_try=max(before) + STORM_WINDOW) for notice in members]
        else:
            for group in _same_channels(members, addressees):
                if len(group) == 1:
                    single += group
                else:
                    digests.append(Digest(_digest(scope, group, now), tuple(group)))
    return Plan(tuple(single), tuple(digests), tuple(waiting))


def _was_told(notice: Notice) -> bool:
    """Whether a message of its own went out, or was tried."""
    return not notice.key.startswith(DIGEST) and notice.state != "folded" and bool(notice.attempts or notice.delivered)


def _scopes(plain: Sequence[Notice], told: Sequence[Notice]) -> Iterator[tuple[str, list[Notice], bool]]:
    """What is looked at together (all pipelines, or each for itself), its notices, and whether they are a storm."""
    if len(plain) + len(told) > MOST_OVER_ALL:
        yield EVERY_PIPELINE, list(plain), True
        return
    before = Counter(notice.pipeline for notice in told)
    by_pipeline: dict[str, list[Notice]] = {}
    for notice in plain:
        by_pipeline.setdefault(notice.pipeline, []).append(notice)
    for pipeline, members in by_pipeline.items():
        yield pipeline, members, len(members) + before[pipeline] > MOST_OF_A_PIPELINE


def _same_channels(notices: Sequence[Notice], addressees: AddresseesOf) -> list[list[Notice]]:
    """The notices by where they still have to go: a digest tells nobody of what is not theirs."""
    groups: dict[tuple[object, ...], list[Notice]] = {}
    for notice in notices:
        told = [(one.name, identity(one.channel)) for one in addressees(notice)]
        groups.setdefault((tuple(told), notice.delivered), []).append(notice)
    return list(groups.values())


def _digest(scope: str, members: Sequence[Notice], now: datetime) -> Notice:
    """The digest as a notice of the worst member's pipeline, which has the channels of all."""
    worst = max(members, key=lambda notice: SEVERITIES.index(notice.severity))
    pipelines = {notice.pipeline for notice in members}
    of = f" of {len(pipelines)} pipelines" if len(pipelines) > 1 else ""
    lines = [f"[{notice.severity}] {notice.pipeline}: {notice.title}" for notice in members[:MOST_LINES_OF_A_DIGEST]]
    if len(members) > len(lines):
        lines.append(f"… and {len(members) - len(lines)} more, which `automl history` shows.")
    return Notice(
        pipeline=worst.pipeline,
        severity=worst.severity,
        title=f"{len(members)} messages{of}",
        body="\n".join(lines),
        key=f"{DIGEST}{scope}:{members[0].id}",
        delivered=worst.delivered,
        at=now,
    )


def deliver(
    notices: Sequence[Notice],
    addressees: AddresseesOf,
    *,
    send: "Send | None" = None,
    now: Callable[[], datetime] = records.now,
    clock: Callable[[], float] = time.monotonic,
    seconds: float = 15.0,
) -> Iterator[Notice]:
    """Each notice as it is once its channels were tried, fresh ones first; what no time is left for is not given.

    A channel that failed once is not tried again in the same call, and the others still get their message. A channel
    that took a message is remembered in `delivered`, so keep each notice before asking for the next.

    Args:
        send: sends within some seconds, or raises an AutoMLError; `send_within` by default.
    """
    attempt = _Attempts(addressees, send or send_within, now, clock, clock() + seconds)
    for notice in sorted(notices, key=lambda notice: (notice.attempts, notice.id)):
        if attempt.seconds_left() <= 0:
            return
        yield attempt.at(notice)


@dataclass
class _Attempts:
    """One call of `deliver`; `broken` holds what is wrong with the channels that failed in it."""

    addressees: AddresseesOf
    send: Send
    now: Callable[[], datetime]
    clock: Callable[[], float]
    deadline: float
    broken: dict[str, str] = field(default_factory=dict)

    def seconds_left(self) -> float:
        return self.deadline - self.clock()

    def at(self, notice: Notice) -> Notice:
        wanted = self.addressees(notice)
        delivered, errors, tried = list(notice.delivered), [], False
        for one in wanted:
            if one.name in delivered:
                continue
            known = self.broken.get(identity(one.channel))
            error = known if known is not None else self._sent(one.channel, notice)
            tried = tried or known is None
            if error is None:
                delivered.append(one.name)
            else:
                errors.append(f"{one.name}: {error}")
        attempts = notice.attempts + tried
        after = replace(notice, delivered=tuple(delivered), attempts=attempts, error="; ".join(errors), next_try=None)
        if not wanted:
            return replace(after, state="sent", error="No channel takes notices of this severity.")
        return self._again(after) if errors else replace(after, state="sent")

    def _sent(self, channel: Channel, notice: Notice) -> str | None:
        """What went wrong, if anything did."""
        left = self.seconds_left()
        if left <= 0:
            return "there was no time left"
        try:
            self.send(channel, message_of(notice), min(channel.timeout_seconds + GRACE_SECONDS, left))
        except AutoMLError as error:
            self.broken[identity(channel)] = error.message
            return error.message
        return None

    def _again(self, notice: Notice) -> Notice:
        at = next_try(notice.attempts, notice.at, self.now())
        if at is None:
            logger.error("%s: %s: given up after a day: %s", notice.pipeline, notice.title, notice.error)
            return replace(notice, state="failed")
        return replace(notice, next_try=at)


def next_try(attempts: int, since: datetime, now: datetime) -> datetime | None:
    """When a message that failed `attempts` times is tried again; None: a day has passed since it was written."""
    if now - since >= GIVE_UP_AFTER:
        return None
    doubled = FIRST_RETRY * 2 ** min(max(attempts - 1, 0), 10)
    return now + min(doubled, LONGEST_RETRY)


def message_of(notice: Notice) -> Message:
    """What a channel is given. Its key is the same at every attempt, and another when the cause comes back."""
    key = f"{notice.pipeline}/{notice.key}@{notice.at:%Y-%m-%dT%H:%M:%SZ}"
    return Message(notice.pipeline, notice.severity, notice.title, notice.body, key, notice.at)


def send_within(channel: Channel, message: Message, seconds: float) -> None:
    """Deliver in a thread that is waited for so long. One that answers later may have taken it: it comes again.

    Raises:
        AutoMLError: the channel did not take it, not in time, or broke.
    """
    answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            channel.deliver(message)
        except Exception as error:  # the thread's edge: whatever a plug-in raises is an answer
            answers.put(error)
        else:
            answers.put(None)

    threading.Thread(target=work, name=f"alert by {channel.type}", daemon=True).start()
    try:
        error = answers.get(timeout=seconds)
    except queue.Empty:
        raise ProviderError(f"The channel did not answer within {seconds:.0f} s.", where=channel.type) from None
    if isinstance(error, AutoMLError):
        raise error
    if error is not None:  # its words may hold a secret
        raise ProviderError(f"The channel broke ({type(error).__name__}).", where=channel.type) from None
