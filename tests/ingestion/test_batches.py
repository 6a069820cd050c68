"""Recognising files: tables of what is known, what lies there and what was seen before."""

from pathlib import Path

import pytest

from automl_assets.core.errors import ConfigError
from automl_assets.core.records import LandedBatch
from automl_assets.ingestion.batches import Look, batch_version, recognise, stat_mark
from automl_assets.ingestion.landing import LyingFile


def look_at(
    known: dict[str, str], lying: dict[str, str], *, looks: int = 2, changed: tuple[str, ...] = ()
) -> tuple[Look, dict[str, LandedBatch]]:
    """Look at files (name: content) given rows (key: content, or ``key@original``), until they count as complete."""
    rows: dict[str, LandedBatch] = {}
    for number, (key, content) in enumerate(known.items(), start=1):
        content, _, original = content.partition("@")
        same = {"state": "moved", "same_as": original} if original else {}
        rows[key] = LandedBatch("p", key, content, len(content), 7, sequence=number, **same)
    files = [LyingFile(key, len(content), 8 if key in changed else 7) for key, content in lying.items()]
    seen: tuple[str, ...] = ()
    look = Look()
    for _ in range(looks):
        look = recognise("p", rows, files, seen, lambda file: lying[file.key])
        seen = look.seen
    return look, rows


def states(look: Look) -> dict[str, str]:
    told = {row.key: row.state if row.same_as is None else f"{row.state} {row.same_as}" for row in look.arrived}
    told |= {row.key: f"again {row.sequence}" for row in look.rewritten}
    return told | {row.key: "touched" for row in look.touched}


@pytest.mark.parametrize(
    ("known", "lying", "changed", "found"),
    [
        ({}, {}, (), {}),
        ({}, {"b10": "x", "b2": "y"}, (), {"b2": "landed", "b10": "landed"}),
        ({"a": "x"}, {"a": "x"}, (), {}),
        ({"a": "x"}, {"a": "x"}, ("a",), {"a": "touched"}),
        ({"a": "x"}, {"a": "y"}, ("a",), {"a": "again 1"}),
        ({"a": "x"}, {"b": "x"}, (), {"b": "moved a"}),
        ({"a": "x"}, {"a": "x", "b": "x"}, (), {"b": "duplicate a"}),
        ({}, {"a": "x", "b": "x", "c": "x"}, (), {"a": "landed", "b": "duplicate a", "c": "duplicate a"}),
        ({"a": "x", "b": "x@a"}, {"b": "x", "c": "x"}, (), {"c": "duplicate a"}),
        ({"a": "x", "b": "x@a"}, {"c": "x"}, (), {"c": "moved a"}),
        ({"a": "x", "b": "x@a"}, {"a": "x"}, (), {}),
        ({"a": "x"}, {"a": "y", "a.1": "x"}, ("a",), {"a": "again 1", "a.1": "landed"}),
        ({"a": "x", "a.1": "x@a"}, {"a": "y", "a.1": "x"}, ("a",), {"a": "again 1", "a.1": "again 2"}),
        ({"a": "x", "b": "x@a"}, {"a": "x", "b": "z"}, ("b",), {"b": "again 2"}),
        ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}, ("a", "b"), {"a": "again 1", "b": "again 2"}),
    ],
)
def test_content_decides_what_a_file_is(
    known: dict[str, str], lying: dict[str, str], changed: tuple[str, ...], found: dict[str, str]
) -> None:
    look, _ = look_at(known, lying, changed=changed)
    assert states(look) == found
    assert list(states(look)) == list(found) or set(changed), "new ones come in natural order"


def test_a_file_counts_when_it_is_as_the_last_look_saw_it() -> None:
    def at(size: int, mtime_ns: int, seen: tuple[str, ...]) -> Look:
        return recognise("p", {}, [LyingFile("a", size, mtime_ns)], seen, lambda _: "x")

    first = at(1, 1, ())
    assert (first.fresh, first.growing, states(first)) == (("a",), (), {})
    second = at(2, 1, first.seen)
    assert (second.fresh, second.growing, states(second)) == ((), ("a",), {})
    third = at(2, 0, second.seen)
    assert third.growing == ("a",), "an earlier time is a change as a later one is: the clock jumped"
    assert states(at(2, 0, third.seen)) == {"a": "landed"}
    assert third.told() == ["a is still growing"]


def test_a_batch_that_never_completes_never_counts_and_never_stops_the_others() -> None:
    seen: tuple[str, ...] = ()
    for size in range(50):
        look = recognise("p", {}, [LyingFile("never", size, size), LyingFile("done", 1, 1)], seen, lambda f: f.key)
        seen = look.seen
        assert states(look) == ({"done": "landed"} if size else {})
        assert len(seen) == 2


@pytest.mark.parametrize(
    ("digest", "marked", "in_time", "kind"),
    [
        (lambda _: "x", False, True, "unmarked"),
        (lambda _: "x", True, False, "later"),
        (lambda _: None, True, True, "growing"),
    ],
)
def test_a_file_waits_for_its_marker_for_time_and_for_its_writer(
    digest, marked: bool, in_time: bool, kind: str
) -> None:
    file = LyingFile("a", 1, 1, marked)
    look = recognise("p", {}, [file], (stat_mark("p", file),), digest, lambda: in_time)
    assert getattr(look, kind) == ("a",)
    assert not look.is_settled()
    assert states(look) == {}


def test_only_new_and_changed_files_are_hashed() -> None:
    rows = {f"b{n}": LandedBatch("p", f"b{n}", "x", 1, 1) for n in range(100)}
    files = [LyingFile(f"b{n}", 1, 1) for n in range(100)] + [LyingFile("new", 1, 1)]
    hashed: list[str] = []
    recognise("p", rows, files, (stat_mark("p", files[-1]),), lambda file: hashed.append(file.key) or "y")
    assert hashed == ["new"]


def test_a_file_that_can_t_be_read_or_named_is_said_and_the_rest_goes_on() -> None:
    files = [LyingFile("a", 1, 1), LyingFile("b", 1, 1), LyingFile("n" * 300, 1, 1)]

    def digest(file: LyingFile) -> str:
        if file.key == "a":
            raise PermissionError(13, "Permission denied")
        return "x"

    look = recognise("p", {}, files, [stat_mark("p", file) for file in files], digest)
    assert states(look) == {"b": "landed"}
    assert look.unusable == (("a", "it can't be read: Permission denied"), ("n" * 60, "its name is too long"))
    assert "a can't be used: it can't be read: Permission denied" in look.told()


def test_what_identifies_a_batch_is_its_content_its_contract_and_who_accepted_it(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    with pytest.raises(ConfigError, match="The contract is not there"):
        batch_version("d", str(contract))
    contract.write_text("rows: {least: 3}")
    versions = {batch_version("d", None), batch_version("e", None), batch_version("d", str(contract))}
    versions |= {batch_version("d", None, "ada"), batch_version("d", None, "bob")}
    assert len(versions) == 5
