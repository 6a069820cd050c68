"""Who hears of what: a pipeline's own channels, and the platform's routes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydantic import Field

from automl_assets.core.config import REVEAL, Section
from automl_assets.core.evidence import Severity
from automl_assets.core.records import Notice
from automl_assets.monitoring.alerts._base import SEVERITIES, Channel
from automl_assets.monitoring.config import ChannelField

EVERY_PIPELINE = "*"


class Route(Section):
    """Channels that hear of several pipelines, beside each pipeline's own."""

    pipelines: str = Field(default=EVERY_PIPELINE, description="Which, as a pattern: sales_* or one name.")
    least_severity: Severity = Field(default="info", description="What is less severe does not take this route.")
    channels: list[ChannelField] = Field(min_length=1)

    def wants(self, severity: Severity) -> bool:
        """Whether what is this severe takes this route."""
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.least_severity)


@dataclass(frozen=True)
class Addressee:
    """A channel and how a pipeline's notices call it: its type, numbered from the second of a type on."""

    name: str
    channel: Channel


@dataclass(frozen=True)
class Routing:
    """Which channels hear of what: each pipeline's own, by its name, and the platform's routes."""

    own: Mapping[str, Sequence[Channel]]
    routes: Sequence[Route] = ()

    def addressees(self, notice: Notice) -> tuple[Addressee, ...]:
        """The channels that want a notice, each once. A name means the same channel at every severity."""
        heard = [(channel, True) for channel in self.own.get(notice.pipeline, ())]
        for route in self.routes:
            if fnmatchcase(notice.pipeline, route.pipelines):
                heard += [(channel, route.wants(notice.severity)) for channel in route.channels]
        distinct: list[Channel] = []
        for channel, _ in heard:
            if channel not in distinct:
                distinct.append(channel)
        return tuple(
            Addressee(name, channel)
            for name, channel in zip(_names(distinct), distinct, strict=True)
            if channel.wants(notice.severity) and (channel, True) in heard
        )


def _names(channels: Sequence[Channel]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for channel in channels:
        seen[channel.type] += 1
        yield channel.type if seen[channel.type] == 1 else f"{channel.type} {seen[channel.type]}"


def identity(channel: Channel) -> str:
    """What makes two channels one. It holds secrets and stays in memory."""
    return channel.model_dump_json(context={REVEAL: True})
