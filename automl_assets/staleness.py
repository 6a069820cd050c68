"""Which steps of a pipeline have something to do, decided from stored fingerprints without running anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from automl_assets.core.fingerprint import digest_of
from automl_assets.core.records import Answer
from automl_assets.core.steps import Step
from automl_assets.core.values import RawTable, Value
from automl_assets.ingestion.window import why_excluded
from automl_assets.pipeline import PipelineConfig
from automl_assets.quality.report import quarantine_reasons
from automl_assets.steps import ARRIVAL, MODEL_SIDE, SCORING

WHOLE = "all"


class Stored(Protocol):
    """Where results are found by what they were made from."""

    def find(self, pipeline: str, asset: str, batch: str, fingerprint: str) -> Value | None:
        """The stored result of these inputs, or None."""
        ...


@dataclass(frozen=True)
class Stale:
    """The steps that have something to do: by batch on the batch side, and on the model side.

    quarantined: the batches that were read and failed a blocking check, with the reasons: nothing is to do with them.
    """

    arrival: Mapping[str, tuple[Step, ...]]
    model: tuple[Step, ...]
    scoring: Mapping[str, tuple[Step, ...]]
    quarantined: Mapping[str, Sequence[str]]

    def nothing(self) -> bool:
        """Whether everything is up to date."""
        return not (any(self.arrival.values()) or self.model or any(self.scoring.values()))


def find_stale(
    config: PipelineConfig,
    stored: Stored,
    batches: Sequence[str],
    alias_version: Callable[[], str | None],
    *,
    version: Callable[[str], str] | None = None,
    answers: Mapping[str, Answer] | None = None,
    labels: Callable[[str], str] = lambda _: "none",
) -> Stale:
    """Compare each step's fingerprint with what is stored, in the graph's order.

    Args:
        batches: the keys of all batches; ``["all"]`` for a pipeline without.
        alias_version: the version that the champion alias points at; asked only when all before it is up to date.
        version: what a batch is made from; its source's bytes by default.
        answers: what people answered about batches in quarantine.
        labels: what identifies the labels of a batch that came later.

    Raises:
        SourceError: a batch's source can't be read.
    """
    version = version or config.source_version
    answers = answers or {}
    raw: dict[str, dict[str, str]] = {batch: {"source": version(batch), "labels": labels(batch)} for batch in batches}
    arrival = {batch: _walk(config, stored, ARRIVAL, batch, raw[batch]) for batch in batches}
    quarantined = _in_quarantine(config, stored, raw, answers)
    arrival |= dict.fromkeys(quarantined, ())
    every = {
        "raw_table": digest_of({batch: raw[batch].get("raw_table", "") for batch in sorted(batches)}),
        "answers": digest_of({batch: answers[batch] for batch in sorted(answers)}),
        "labels": digest_of({batch: raw[batch]["labels"] for batch in sorted(batches)}),
    }
    model = MODEL_SIDE
    if all("raw_table" in versions for versions in raw.values()):
        model = _walk(config, stored, MODEL_SIDE[:-1], WHOLE, every) or _walk(
            config, stored, MODEL_SIDE[-1:], WHOLE, every | {"alias": alias_version() or ""}
        )
    champion = {} if model else _champion_version(config, stored, alias_version)
    scoring = {batch: _walk(config, stored, SCORING, batch, raw[batch] | champion) for batch in batches}
    scoring |= dict.fromkeys(quarantined, ())
    return Stale(arrival, model, scoring, quarantined)


def _walk(
    config: PipelineConfig, stored: Stored, steps: Sequence[Step], batch: str, versions: dict[str, str]
) -> tuple[Step, ...]:
    """The steps without a stored result; the versions of the others are added to `versions`."""
    stale: list[Step] = []
    for step in steps:
        known = all(name in versions for name in step.inputs)
        value = stored.find(config.name, step.name, batch, step.fingerprint(config, versions)) if known else None
        if value is None:
            stale.append(step)
        else:
            versions[step.name] = value.data_version()
    return tuple(stale)


def _in_quarantine(
    config: PipelineConfig, stored: Stored, raw: Mapping[str, Mapping[str, str]], answers: Mapping[str, Answer]
) -> dict[str, Sequence[str]]:
    """Why batches are in quarantine; the one table of a pipeline without batches fails the run instead."""
    if config.batches.kind == "none":
        return {}
    step = ARRIVAL[0]
    read = {
        batch: stored.find(config.name, step.name, batch, step.fingerprint(config, versions))
        for batch, versions in raw.items()
    }
    failed = {batch: quarantine_reasons(raw.checks) for batch, raw in read.items() if isinstance(raw, RawTable)}
    why = {batch: why_excluded(reasons, answers.get(batch)) for batch, reasons in failed.items()}
    return {batch: [reason] for batch, reason in why.items() if reason}


def _champion_version(
    config: PipelineConfig, stored: Stored, alias_version: Callable[[], str | None]
) -> dict[str, str]:
    step = MODEL_SIDE[-1]
    value = stored.find(config.name, step.name, WHOLE, step.fingerprint(config, {"alias": alias_version() or ""}))
    return {step.name: value.data_version()} if value is not None else {}
