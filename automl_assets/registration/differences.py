"""The first difference between what is recorded of a version and what was made again, told in one sentence."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl_assets.core.values import Study, Trial
from automl_assets.training.model import MODEL_FILE, Model, checksums

if TYPE_CHECKING:
    import pyarrow.dataset as ds

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
COMPARED_OF_A_TRIAL = ("family", "params", "state", "score", "folds", "bag")
MOST_CHARACTERS = 300
PREDICTED_ROWS = 20_000
ABSENT = "nothing"


@dataclass(frozen=True)
class Difference:
    """What differs, and both values as people read them."""

    what: str
    recorded: str
    made: str

    def told(self) -> str:
        """One sentence."""
        return f"{self.what} differs: recorded {self.recorded}, made anew {self.made}."

    @classmethod
    def between(cls, what: str, recorded: Any, made: Any) -> "Difference | None":
        """None where two JSON-able values are equal; of objects and lists the first part that differs is told."""
        found = _first(recorded, made, ())
        if found is None:
            return None
        path, old, new = found
        where = f"{what}, at {'.'.join(path)}," if path else what
        return cls(where, _short(old), _short(new))


_MISSING = object()


def _first(recorded: Any, made: Any, path: tuple[str, ...]) -> tuple[tuple[str, ...], Any, Any] | None:
    """Where two values begin to differ, and what stands there in each."""
    if isinstance(recorded, Mapping) and isinstance(made, Mapping):
        pairs = [(key, recorded.get(key, _MISSING), made.get(key, _MISSING)) for key in {**recorded, **made}]
    elif _is_list(recorded) and _is_list(made):
        longest = range(max(len(recorded), len(made)))
        pairs = [(i + 1, *(side[i] if i < len(side) else _MISSING for side in (recorded, made))) for i in longest]
    elif recorded == made or (recorded != recorded and made != made):
        return None
    else:
        return path, recorded, made
    parts = (_first(old, new, (*path, str(key))) for key, old, new in pairs)
    return next((part for part in parts if part is not None), None)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _short(value: Any) -> str:
    if value is _MISSING:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def ordinal(position: int) -> str:
    """first, second … for 0, 1 …; 11th and so on after the tenth."""
    if position < len(ORDINALS):
        return ORDINALS[position]
    number = position + 1
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def of_studies(recorded: Study, made: Study) -> Difference | None:
    """The first configuration that differs in what it is, how it ended or how it scored; else how the search ended."""
    for position in range(max(len(recorded.trials), len(made.trials))):
        old, new = (trials[position] if position < len(trials) else None for trials in (recorded.trials, made.trials))
        what = f"The {ordinal(position)} configuration"
        if old is None or new is None:
            return Difference(what, _named(old), _named(new))
        parts = [name for name in COMPARED_OF_A_TRIAL if getattr(old, name) != getattr(new, name)]
        if old.id != new.id or parts:
            return Difference(what, _named(old, parts), _named(new, parts))
    ends = {"folds": "The number of folds that are compared", "stopped_because": "Why the search ended"}
    found = (Difference.between(what, getattr(recorded, name), getattr(made, name)) for name, what in ends.items())
    return next((difference for difference in found if difference is not None), None)


def _named(trial: Trial | None, parts: Sequence[str] = ("params",)) -> str:
    if trial is None:
        return ABSENT
    told = trial.params if list(parts) == ["params"] else {name: getattr(trial, name) for name in parts}
    return f"{trial.id} {_short(told)}"


def of_models(recorded: Path, made: Path) -> Difference | None:
    """What differs between two model folders: members and weights first, then the card, then each file's checksum."""
    old, new = (json.loads((folder / MODEL_FILE).read_text()) for folder in (recorded, made))
    names = [[member["name"] for member in card["members"]] for card in (old, new)]
    if names[0] != names[1]:
        return Difference("The list of members", ", ".join(names[0]), ", ".join(names[1]))
    for first, second in zip(old["members"], new["members"], strict=True):
        if first["weight"] != second["weight"]:
            return Difference.between(f"The weight of {first['name']}", first["weight"], second["weight"])
    found = Difference.between(f"The model's {MODEL_FILE}", old, new)
    if found is not None:
        return found
    sums = [checksums(folder) for folder in (recorded, made)]
    for name in sorted({*sums[0], *sums[1]}):
        if sums[0].get(name) != sums[1].get(name):
            return Difference(f"The SHA-256 of the model's {name}", *(side.get(name, ABSENT) for side in sums))
    return None


def of_predictions(recorded: Model, made: Model, clean: "ds.Dataset") -> Difference | None:
    """The first clean row that two models predict otherwise, byte for byte."""
    import pyarrow as pa

    row = 0
    for batch in clean.to_batches(batch_size=PREDICTED_ROWS):
        table = pa.Table.from_batches([batch])
        if not table.num_rows:
            continue
        old, new = (model.predict_clean(table) for model in (recorded, made))
        if old.tobytes() != new.tobytes():
            at = next(i for i in range(len(old)) if old[i].tobytes() != new[i].tobytes())
            return Difference(
                f"The prediction of clean row {row + at + 1:,}", repr(old[at].tolist()), repr(new[at].tolist())
            )
        row += table.num_rows
    return None
