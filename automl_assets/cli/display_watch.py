"""What people read about what monitoring did: the history and the review list."""

from typing import Any

from automl_assets.cli.display import out, table_of


def print_history(document: dict[str, Any]) -> None:
    """The verdicts, then what was done, newest first."""
    console = out()
    verdicts = document["verdicts"]
    if not verdicts:
        console.print(f"Nothing has been decided about {document['pipeline']} yet.")
    else:
        rows = [(_minute(v), v["batch"], v["champion"], _decided(v), _first(v["reasons"])) for v in verdicts]
        console.print(table_of(("when", "batch", "champion", "verdict", "because"), rows))
    moves = [{**move, "kind": move["what"], "state": "done"} for move in document["champions"]]
    put_aside = [{**batch, "kind": "quarantine", "state": batch["answer"]} for batch in document["quarantine"]]
    done = [*document["actions"], *moves, *put_aside]
    if done:
        newest_first = sorted(done, key=lambda a: a["at"], reverse=True)
        rows = [(_minute(a), a["kind"], a["state"], a["actor"] or "—", _outcome(a)) for a in newest_first]
        console.print()
        console.print(table_of(("when", "action", "state", "who", "outcome"), rows))


def print_review(document: dict[str, Any]) -> None:
    """What was answered, and what waits."""
    console = out()
    answered = document["answered"]
    if answered:
        what = f"Batch {answered['batch']}" if "batch" in answered else f"The {answered['what']}"
        console.print(f"{what}: {answered['answer']}; {answered['follows']}.", markup=False)
    if not document["waiting"]:
        console.print(f"Nothing of {document['pipeline']} waits for an answer.")
        return
    rows = [
        (w["id"], _minute(w), w["what"], w["batch"] or "", w["answer"], _first(w["reasons"]))
        for w in document["waiting"]
    ]
    console.print(table_of(("id", "since", "what", "batch", "answer", "because"), rows))
    if not answered:
        console.print("Answer with --accept ID or --reject ID, and --reason TEXT.")


def _decided(verdict: dict[str, Any]) -> str:
    return verdict["action"] if verdict["acts"] or verdict["action"] == "none" else f"({verdict['action']})"


def _minute(record: dict[str, Any]) -> str:
    return record["at"][:16].replace("T", " ")


def _outcome(action: dict[str, Any]) -> str:
    if "after" in action:
        return f"version {action['before'] or '—'} → {action['after']}: {action['reason']}"
    if "answer" in action:
        return f"batch {action['batch']}: {action['why'] or _first(action['reasons'])}"
    return action["outcome"] or action["reason"]


def _first(reasons: list[str]) -> str:
    more = f" … and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"{reasons[0]}{more}" if reasons else ""
