"""`automl run`: execute what is stale in a worker thread while this one shows progress and listens for Ctrl-C."""

import json
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_assets.cli.display import RunDisplay, print_run
from automl_assets.cli.edge import INTERRUPTED, report
from automl_assets.cli.execute import PipelineRun, cancel_own_runs
from automl_assets.core.errors import AutoMLError, JobError
from automl_assets.core.evidence import Verdict
from automl_assets.core.memory import read_memory
from automl_assets.core.progress import STOP, Progress, listening
from automl_assets.core.values import Evaluation, Member, Problem, Registration, TrainedModel
from automl_assets.pipeline_files import load_named
from resources.fit_runner import shared_runner
from resources.records.verdicts import Verdicts
from resources.settings import Settings

POLL_SECONDS = 0.1
MOST_VERDICTS = 200
MIB = 2**20

logger = logging.getLogger("automl.run")


@dataclass
class _Watch:
    """What the progress messages say: each step's seconds, and which one is at work."""

    seconds: dict[str, float] = field(default_factory=dict)
    working: str | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.state == "started":
            self.working = progress.step
        if progress.state in ("done", "reused", "failed"):
            self.seconds[progress.step] = round(self.seconds.get(progress.step, 0.0) + progress.seconds, 3)
        if progress.state not in ("working", "waiting"):
            event = {
                "pipeline": progress.pipeline,
                "step": progress.step,
                "state": progress.state,
                "seconds": round(progress.seconds, 3),
            }
            logger.info("%s %s", progress.step, progress.state, extra={"event": event})


def run_command(name: str, *, until: str | None, overrides: Sequence[str], force: bool, as_json: bool) -> int:
    """Run a pipeline and say how it went; the exit code.

    Raises:
        AutoMLError: it could not be started, or a step failed.
    """
    settings = Settings.from_environment()
    config = load_named(name, settings.pipelines, overrides)
    pipeline_run = PipelineRun(config, settings, until=until, force=force)
    watch = _Watch()
    quiet = as_json or settings.log_format == "json"
    with RunDisplay(config.name, quiet=quiet) as display, listening(watch), listening(display):
        failed = _in_thread(pipeline_run, settings, watch, display)
    if failed is not None:
        raise failed
    document = run_document(pipeline_run, watch)
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        print_run(document)
    if STOP.is_set():
        note = AutoMLError("Stopped by Ctrl-C; the best model so far was kept.", code="interrupted")
        report(note, as_json=False)
        return INTERRUPTED
    return 0


def _in_thread(pipeline_run: PipelineRun, settings: Settings, watch: _Watch, display: RunDisplay) -> Exception | None:
    """Execute in a worker; the first Ctrl-C while tuning ends the search, any other ends the process."""
    outcome: list[Exception | None] = []
    ended = threading.Event()  # not Thread.join: on Python 3.11 a Ctrl-C in it declares the thread dead

    def work() -> None:
        try:
            pipeline_run.execute()
            outcome.append(None)
        except Exception as error:  # handed to the main thread, which reports it
            outcome.append(error)
        finally:
            ended.set()

    threading.Thread(target=work, daemon=True).start()
    while not ended.is_set():
        try:
            ended.wait(POLL_SECONDS)
        except KeyboardInterrupt:
            if STOP.is_set() or watch.working != "tuning_study":
                display.stop()
                _abort(settings)
            STOP.set()
            display.say("Ctrl-C: the search ends; the best model so far is finished. Press again to stop at once.")
    return outcome[0] if outcome else JobError("The run ended without an answer.", remedy="Run it again.")


def _abort(settings: Settings) -> None:
    """End at once: mark this process's runs cancelled, end the fits, and leave."""
    cancel_own_runs(settings)
    shared_runner(settings.home / "logs" / "fits.log").close()
    report(
        AutoMLError("Stopped by Ctrl-C.", code="interrupted", remedy="The same command goes on from here."),
        as_json=False,
    )
    os._exit(INTERRUPTED)


def run_document(pipeline_run: PipelineRun, watch: _Watch) -> dict[str, Any]:
    """The result in the shape that `--json` promises."""
    config, store, executed = pipeline_run.config, pipeline_run.store, pipeline_run.executed
    found = {
        name: store.latest(config.name, name) for name in ("problem", "evaluation", "trained_model", "registered_model")
    }
    document: dict[str, Any] = {
        "pipeline": config.name,
        "status": "success" if executed.run_ids else "up_to_date",
        "run_ids": executed.run_ids,
    }
    warnings = [f"batch {key} is in quarantine: {'; '.join(why)}" for key, why in executed.quarantined.items()]
    warnings += executed.told
    verdicts = Verdicts(pipeline_run.database).of(config.name, most=MOST_VERDICTS)
    warnings += [told_of(row.verdict) for row in reversed(verdicts) if row.run_id in executed.run_ids]
    warnings = [warning for warning in warnings if warning]
    problem, evaluation = found["problem"], found["evaluation"]
    model, registration = found["trained_model"], found["registered_model"]
    if isinstance(problem, Problem):
        document["problem"] = {
            "kind": problem.kind,
            "metric": problem.metric,
            "train_rows": problem.train_rows,
            "holdout_rows": problem.holdout_rows,
        }
        warnings += [f"{leak.column or 'rows'}: {leak.reason}" for leak in problem.leaks]
        warnings += [f"{finding.column}: {finding.count} {finding.advice}" for finding in problem.findings]
    if isinstance(evaluation, Evaluation):
        holdout = evaluation.holdout
        document["holdout"] = {
            "value": holdout.value,
            "low": holdout.low,
            "high": holdout.high,
            "higher_is_better": evaluation.higher_is_better,
            "dummy": evaluation.dummy,
            "linear": evaluation.linear,
            "gain_over_linear": evaluation.gain_over_linear.model_dump(),
        }
        if evaluation.money is not None:
            document["holdout"]["money"] = evaluation.money.model_dump()
    if isinstance(model, TrainedModel):
        document["leaderboard"] = [_leaderboard_row(member) for member in model.leaderboard]
    if isinstance(registration, Registration):
        document["model"] = {
            "name": registration.name,
            "version": registration.version,
            "alias": registration.alias,
            "reason": registration.reason,
        }
    document["seconds"] = watch.seconds
    document["peak_rss_mb"] = round(read_memory().peak / MIB, 1)
    document["warnings"] = warnings
    return document


def told_of(verdict: Verdict) -> str:
    """A verdict in a line; nothing where nothing follows."""
    if verdict.action == "none":
        return ""
    recorded = f" ({verdict.held})" if verdict.held else ""
    return f"batch {verdict.batch}: {verdict.action}{recorded}: {'; '.join(verdict.reasons[:3])}"


def _leaderboard_row(member: Member) -> dict[str, Any]:
    fields = ("name", "family", "score", "fit_seconds", "row_ms", "rows_per_second", "memory_mb", "size_mb", "weight")
    return {field: getattr(member, field) for field in fields}
