"""The commands about what monitoring did: history and review."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from automl_assets.cli.models import promote
from automl_assets.core.errors import ConfigError, unknown_name
from automl_assets.core.records import Action, Answer, Quarantined, now
from automl_assets.pipeline_files import load_named
from resources.platform_database import PlatformDatabase
from resources.records.actions import Actions
from resources.records.acts import Acts
from resources.records.quarantine import Quarantine
from resources.records.verdicts import Verdicts
from resources.settings import Settings

REVIEW = "review"
RETRAIN = "retrain"
MOST_SHOWN = 50


def history(name: str, most: int = MOST_SHOWN) -> dict[str, Any]:
    """Every verdict, action, move of the champion and answer of a pipeline, newest first.

    Raises:
        UnknownNameError: there is no such pipeline.
    """
    settings = Settings.from_environment()
    load_named(name, settings.pipelines)
    database = _database(settings)
    return {
        "pipeline": name,
        "verdicts": [
            {
                "at": _time(row.at),
                "batch": row.verdict.batch,
                "champion": row.verdict.champion,
                "action": row.verdict.action,
                "acts": row.verdict.acts,
                "held": row.verdict.held,
                "reasons": list(row.verdict.reasons),
                "causes": [cause.model_dump(mode="json") for cause in row.verdict.causes],
                "run_id": row.run_id,
            }
            for row in Verdicts(database).of(name, most=most)
        ],
        "actions": [_action(action) for action in Actions(database).of(name, most=most)],
        "champions": [
            {"at": _time(act.at), "what": act.what, "actor": act.actor, "before": act.before, "after": act.after,
             "reason": act.reason}
            for act in Acts(database).of(name, most=most)
        ],
        "quarantine": [_quarantined(waiting) for waiting in Quarantine(database).of(name)[:most]],
    }  # fmt: skip


def review(name: str, accept: str | None, reject: str | None, why: str) -> dict[str, Any]:
    """What of a pipeline waits for a person; with an answer, what followed from it.

    Args:
        accept: an id that the list shows: a batch's (``b3``), whose rows rejoin the window, or a retrain's (``r3``).
        reject: the same; a batch stays out, a retrain is not started.

    Raises:
        UnknownNameError: nothing with that id waits.
        ConfigError: both were given, or an answer without a reason.
    """
    settings = Settings.from_environment()
    load_named(name, settings.pipelines)
    database = _database(settings)
    waiting = _waiting(database, name)
    document: dict[str, Any] = {"pipeline": name, "answered": None}
    chosen = reject if accept is None else accept
    if accept is not None and reject is not None:
        raise ConfigError("--accept and --reject were both given.", remedy="Answer one id at a time.")
    if chosen is not None and not why.strip():
        raise ConfigError("An answer needs a reason; it is recorded with your name.", remedy="Add --reason TEXT.")
    if chosen is not None:
        document["answered"] = _answer(database, settings, _chosen(waiting, chosen), accept is not None, why)
    document["waiting"] = [_shown(key, item) for key, item in _waiting(database, name).items()]
    return document


def _waiting(database: PlatformDatabase, name: str) -> dict[str, Quarantined | Action]:
    """What waits, by the id that a person types; answered batches come last, since an answer may be changed."""
    unanswered_first = sorted(Quarantine(database).of(name), key=lambda row: row.answer != "waiting")
    batches = {f"b{row.id}": row for row in unanswered_first}
    asked = Actions(database).of(name, kinds=[REVIEW])
    return {**{f"r{action.id}": action for action in asked if action.state == "pending"}, **batches}


def _chosen(waiting: Mapping[str, Quarantined | Action], key: str) -> Quarantined | Action:
    if key not in waiting:
        raise unknown_name("id", key, waiting)
    return waiting[key]


def _answer(
    database: PlatformDatabase, settings: Settings, item: Quarantined | Action, accepted: bool, why: str
) -> dict[str, Any]:
    if isinstance(item, Quarantined):
        answer: Answer = "accepted" if accepted else "rejected"
        Quarantine(database).answer(item, answer, actor=settings.actor, why=why, at=now())
        follows = "its rows rejoin the window at the next `automl run`" if accepted else "its rows stay out"
        return {"batch": item.batch, "answer": answer, "follows": follows, "actor": settings.actor, "why": why}
    actions = Actions(database)
    outcome = f"{'accepted' if accepted else 'rejected'} by {settings.actor}: {why}"
    what, version = _asked_for(item), item.payload.get("version")
    follows = f"no {what}"
    if accepted and version:
        promote(item.pipeline, str(version), why)
        follows = f"version {version} is the champion"
    elif accepted:
        actions.add(_retrain(item, settings.actor, why))
        follows = "the sensor drift_retraining starts it; or `automl run`"
    actions.finish(item, "done" if accepted else "cancelled", outcome)
    return {
        "action": item.key,
        "what": what,
        "answer": outcome,
        "follows": follows,
        "actor": settings.actor,
        "why": why,
    }


def _asked_for(asked: Action) -> str:
    """What a request for review is about: a challenger that no labels could judge, or a retrain."""
    return "promotion" if asked.payload.get("version") else RETRAIN


def _retrain(asked: Action, actor: str, why: str) -> Action:
    return Action(
        pipeline=asked.pipeline,
        kind=RETRAIN,
        key=f"{RETRAIN}-{asked.finding or asked.key}",
        reason=f"{asked.reason}; accepted by {actor}: {why}",
        finding=asked.finding,
        actor=actor,
        payload=asked.payload,
    )


def _shown(key: str, item: Quarantined | Action) -> dict[str, Any]:
    if isinstance(item, Quarantined):
        return {"id": key, "what": "batch", **_quarantined(item)}
    return {"id": key, "what": _asked_for(item), "batch": item.payload.get("batch"), "at": _time(item.at),
            "reasons": item.reason.split("; "), "answer": "waiting", "actor": "", "why": ""}  # fmt: skip


def _quarantined(waiting: Quarantined) -> dict[str, Any]:
    return {
        "batch": waiting.batch,
        "at": _time(waiting.at),
        "reasons": list(waiting.reasons),
        "answer": waiting.answer,
        "actor": waiting.actor,
        "why": waiting.why,
    }


def _action(action: Action) -> dict[str, Any]:
    names = ("kind", "state", "reason", "outcome", "actor", "run_id")
    return {"at": _time(action.at), **{name: getattr(action, name) for name in names}, "payload": dict(action.payload)}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _database(settings: Settings) -> PlatformDatabase:
    return PlatformDatabase.of(settings.home, settings.database_url)
