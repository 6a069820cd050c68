"""What the user can mend: one readable paragraph, exit code 2, and nothing left behind. Through the command line."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl_assets.cli.app import run

Write = Callable[[Path], object]


def table(columns: str, *rows: str) -> Write:
    return lambda path: path.write_text("\n".join([columns, *rows]) + "\n")


def numbered(row: str, count: int = 60) -> list[str]:
    """Rows in which ``{i}`` is the row's number, ``{r}`` a random number and ``{b}`` 0 or 1."""
    drawn = random.Random(0)
    return [row.format(i=i, r=round(drawn.gauss(0, 1), 3), b=i % 2, g="uvw"[i % 3]) for i in range(count)]


GOOD = table("r,g,y", *numbered("{r},{g},{b}", 120))

UNREADABLE: dict[str, tuple[Write, str]] = {
    "a missing file": (lambda path: None, "There is no such file"),
    "an empty file": (lambda path: path.write_bytes(b""), "empty"),
    "a file of spaces": (lambda path: path.write_text("  \n \n"), "no rows"),
    "a binary file": (lambda path: path.write_bytes(bytes(range(256)) * 40), "binary"),
    "a header without rows": (lambda path: path.write_text("a,b,c\n"), "no rows"),
    "one column": (table("a", *numbered("{i}")), "one column"),
    "a folder": (lambda path: path.mkdir(), "folder"),
    "a damaged gzip": (lambda path: path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 999, mtime=0)[:-20]), "damaged"),
    "a damaged Parquet file": (lambda path: path.write_bytes(b"PAR1" + b"x" * 200 + b"PAR1"), "Parquet"),
}
COMMANDS = {
    "profile": ["profile", "{bad}", "--html", "{out}/p.html", "--contract", "{out}/c.yaml"],
    "init": ["init", "{bad}", "--target", "y", "--name", "fresh"],
    "clean": ["clean", "{bad}", "--out", "{out}/o.csv"],
    "drift, first": ["drift", "{bad}", "{good}"],
    "drift, second": ["drift", "{good}", "{bad}"],
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("AUTOML_PIPELINES", str(tmp_path / "out" / "pipelines"))
    monkeypatch.setenv("AUTOML_HOME", str(tmp_path / "out" / "home"))


def _complaint(capsys: pytest.CaptureFixture[str], argv: list[str], code: int = 2) -> str:
    """What a refused command says on stderr; it must be one paragraph, and stdout empty."""
    assert run(argv) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    progress, error, said = captured.err.rpartition("Error: ")
    assert error, captured.err
    assert said.count("\n") == 1, captured.err
    assert argv[0] == "run" or not progress
    return said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_table_is_refused_and_nothing_is_left(
    name: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, words = UNREADABLE[name]
    write(tmp_path / "bad.csv")
    GOOD(tmp_path / "good.csv")
    paths = {"bad": tmp_path / "bad.csv", "good": tmp_path / "good.csv", "out": tmp_path / "out"}
    said = _complaint(capsys, [part.format(**paths) for part in COMMANDS[command]])
    assert words in said
    assert "bad.csv" in said
    assert list((tmp_path / "out").iterdir()) == []


TARGETS: dict[str, tuple[Write, str, str]] = {
    "an unknown target": (GOOD, "yy", "Did you mean 'y'?"),
    "a constant target": (table("r,y", *numbered("{r},7")), "y", "same value in every row"),
    "an all-missing target": (table("r,y", *numbered("{r},")), "y", "missing in every row"),
    "an infinite target": (table("r,y", *numbered("{r},{r}"), "1.5,inf"), "y", "infinite"),
    "one class left after those too rare": (table("r,y", *numbered("{r},a"), "1,b"), "y", "class"),
    "no feature beside the target": (table("c,y", *numbered("{i},{b}")), "y", "columns can be learnt from"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_that_nothing_can_be_learnt_from_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, target, words = TARGETS[name]
    write(tmp_path / "bad.csv")
    assert words in _complaint(capsys, ["init", "bad.csv", "--target", target, "--name", "fresh"])
    assert list((tmp_path / "out").iterdir()) == []


FINDINGS: dict[str, tuple[Write, str, int]] = {
    "ragged rows": (table("r,g,y", *numbered("{r},{g},{b}"), "1,u,0,9", "2,u"), "ragged_rows", 2),
    "undecodable bytes": (
        lambda path: path.write_bytes("\n".join(["r,g,y", *numbered("{r},é{g},{b}"), "1,"]).encode() + b"\xff\xfe,0\n"),
        "undecodable_bytes",
        2,
    ),
    "duplicate names": (table("r,r,y", *numbered("{r},{i}.5,{b}")), "renamed_columns", 1),
    "infinities in a feature": (table("r,y", *numbered("{r},{b}"), "inf,0", "-inf,1"), "infinite_values", 2),
    "integers beyond int64": (
        table("r,z,y", *numbered("{r},1{i:020d},{b}")),
        "long_integers",
        60,
    ),
    "a class too rare to split": (table("r,y", *numbered("{r},{g}"), "1,x"), "rare_classes", 1),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_what_is_odd_is_a_finding_and_not_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write, code, count = FINDINGS[name]
    write(tmp_path / "odd.csv")
    assert run(["init", "odd.csv", "--target", "y", "--name", "odd", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    counts = {finding["code"]: finding["count"] for finding in document["findings"]}
    assert counts.get(code) == count, counts
    assert run(["init", "odd.csv", "--target", "y", "--name", "odd_again"]) == 0
    finding = next(finding for finding in document["findings"] if finding["code"] == code)
    assert finding["advice"].split()[0] in capsys.readouterr().out


def _pipeline(tmp_path: Path, yaml: str, name: str = "churn") -> Path:
    GOOD(tmp_path / "good.csv")
    path = tmp_path / "out" / "pipelines" / name / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml)
    return path


HEAD = "type: automl_assets.AutoMLPipeline\nattributes:\n  name: churn\n"
SOURCE = "  source: {type: csv, path: ../../../good.csv}\n  target: y\n"
YAML: dict[str, tuple[str, str]] = {
    "an unknown key": (HEAD + SOURCE + "  tunning: {}\n", "defs.yaml:6: Unknown key 'tunning'. Did you mean 'tuning'?"),
    "an unknown key in a section": (
        HEAD + SOURCE + "  tuning:\n    time_budget: 60\n",
        "defs.yaml:7: Unknown key 'tuning.time_budget'. Did you mean 'time_budget_seconds'?",
    ),
    "a wrong type": (HEAD + SOURCE + "  tuning:\n    time_budget_seconds: soon\n", "defs.yaml:7: "),
    "a missing key": (HEAD + "  source: {type: csv, path: a.csv}\n", "target is missing"),
    "an unknown source type": (HEAD + "  source: {type: cvs, path: a.csv}\n  target: y\n", "Did you mean 'csv'?"),
    "no YAML at all": (HEAD + "  source: {type: csv\n", "defs.yaml:"),
    "a key given twice": (HEAD + SOURCE + "  target: r\n", "defs.yaml:6: "),
    "an empty file": ("", "defs.yaml"),
    "a list instead of a mapping": ("- a\n- b\n", "defs.yaml"),
    "an unset variable": (HEAD + "  source: {type: csv, path: '{{ env.NOT_SET }}'}\n  target: y\n", "NOT_SET"),
    "a missing source": (HEAD + "  source: {type: csv, path: gone.csv}\n  target: y\n", "There is no such file"),
    "an unknown target": (HEAD + SOURCE.replace("target: y", "target: z"), "'z'"),
    "an unknown excluded column": (HEAD + SOURCE + "  columns: {exclude: [rr]}\n", "Did you mean 'r'?"),
    "an unknown metric": (HEAD + SOURCE + "  problem: {metric: roc_acu}\n", "roc_auc"),
    "an unknown family": (HEAD + SOURCE + "  tuning: {families: [lightbgm]}\n", "lightgbm"),
    "a contract that is not there": (HEAD + SOURCE + "  quality: {contract: none.yaml}\n", "contract"),
}


@pytest.mark.parametrize("name", YAML)
def test_a_wrong_pipeline_is_refused_with_its_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml, words = YAML[name]
    _pipeline(tmp_path, yaml)
    assert words in _complaint(capsys, ["run", "churn"])
    home = tmp_path / "out" / "home"
    assert not (home / "mlflow.db").exists()
    assert {path.parent.parent.name for path in home.rglob("*.parquet")} <= {"raw_table"}
    assert not [path for path in home.rglob("*") if path.suffix == ".tmp" or "partial" in path.name]


@pytest.mark.parametrize("name", YAML)
def test_check_finds_the_same_without_running(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    yaml, words = YAML[name]
    _pipeline(tmp_path, yaml)
    assert run(["check", "churn", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["pipelines"][0]["ok"] is False
    assert words in document["pipelines"][0]["message"]


ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "an unknown pipeline": (["run", "doctor_visit"], "Did you mean 'doctor_visits'?"),
    "an unknown asset": (["run", "diabetes", "--until", "tuning"], "tuning_study"),
    "an override without a value": (["run", "diabetes", "--set", "seed"], "KEY=VALUE"),
    "an override of nothing": (["run", "diabetes", "--set", "tuning.trials=3"], "tuning.trials"),
    "a wrong override": (["run", "diabetes", "--set", "seed=-1"], "--set seed=-1"),
    "no such command": (["trian", "diabetes"], "trian"),
    "a missing argument": (["init", "good.csv"], "--target"),
    "an existing name": (["init", "good.csv", "--target", "y", "--name", "diabetes"], "exists already"),
    "a bad name": (["init", "good.csv", "--target", "y", "--name", "../x"], "no name for a pipeline"),
    "an output in no folder": (["profile", "good.csv", "--html", "nowhere/x.html"], "can't be written"),
    "the input as the output": (["clean", "good.csv", "--out", "good.csv"], "output is the input"),
    "a plan that is none": (["clean", "good.csv", "--out", "out/o.csv", "--plan", "good.csv"], "good.csv"),
    "no column in common": (["drift", "good.csv", "other.csv"], "no column in common"),
    "predictions in an unknown format": (["predict", "diabetes", "good.csv", "--out", "out/o.xlsx"], ".parquet"),
    "promoting an unknown version": (["promote", "diabetes", "7", "--reason", "x"], "'7'"),
    "showing an unknown pipeline": (["show", "churn"], "'churn'"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_wrong_argument_is_explained(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv, words = ARGUMENTS[name]
    GOOD(tmp_path / "good.csv")
    table("k,l", "1,2", "3,4")(tmp_path / "other.csv")
    assert words in _complaint(capsys, argv)
    assert [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".csv", ".html", ".yaml", ".json")] == []


@pytest.mark.parametrize(
    "argv",
    [
        ["predict", "diabetes", "good.csv", "--out", "out/o.csv"],
        ["rollback", "diabetes", "--reason", "x"],
        ["show", "diabetes", "1"],
    ],
    ids=lambda argv: argv[0],
)
def test_what_needs_a_champion_says_how_to_get_one(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    GOOD(tmp_path / "good.csv")
    said = _complaint(capsys, argv, code=2 if argv[0] == "show" else 1)
    assert "diabetes" in said
    assert not (tmp_path / "out" / "o.csv").exists()


@pytest.mark.parametrize("name", [*UNREADABLE, "an unknown pipeline"])
def test_json_on_failure_is_one_object_with_the_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["profile", "bad.csv", "--json"]
    if name in UNREADABLE:
        UNREADABLE[name][0](tmp_path / "bad.csv")
    else:
        argv = [*ARGUMENTS[name][0], "--json"]
    assert run(argv) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    error = json.loads(captured.out)["error"]
    assert set(error) == {"code", "message", "where", "remedy"}
    assert error["message"]
    assert error["remedy"]


def test_settings_of_the_machine_that_make_no_sense_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_BATCH_SIZE", "many")
    assert "AUTOML_BATCH_SIZE" in _complaint(capsys, ["list"])


CELLS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=6),
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(repr),
    st.sampled_from(["", "NA", "null", '"', "1,5", "2024-02-30", "2024-02-29", "inf", "-", "é", ";", "\t", "\r\n"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(CELLS, max_size=4), max_size=8), separator=st.sampled_from([",", ";", "\t", "|"]))
def test_any_text_is_profiled_and_cleaned_or_refused_and_never_a_traceback(
    rows: list[list[str]], separator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, cleaned = tmp_path / "any.csv", tmp_path / "out" / "cleaned.csv"
    for left in (tmp_path / "out").iterdir():
        left.unlink()
    path.write_bytes("\n".join(separator.join(row) for row in rows).encode())
    for argv in (["profile", str(path), "--json"], ["clean", str(path), "--out", str(cleaned), "--json"]):
        code = run(argv)
        document = json.loads(capsys.readouterr().out)
        assert code in (0, 2), document
        assert ("error" in document) == (code == 2)
        assert cleaned.exists() == (code == 0 and argv[0] == "clean")
