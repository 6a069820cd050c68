"""Which batches a training reads."""

import pytest

from automl_assets.core.errors import SourceError
from automl_assets.core.records import Answer, Quarantined
from automl_assets.core.values import Column, ColumnType, RawTable, TableHandle, TrainingWindow
from automl_assets.ingestion.config import WindowConfig
from automl_assets.ingestion.window import answers_about, choose_batches, why_excluded, window_checks


def raw(batch: str, rows: int = 10, **types: ColumnType) -> RawTable:
    columns = tuple(Column(name=name, type=kind) for name, kind in types.items())
    table = TableHandle(path=batch, digest=batch, rows=rows, size_bytes=1, columns=columns)
    return RawTable(batch=batch, source_digest="s", table=table)


TABLES = {
    "2024-02.csv": raw("2024-02.csv", 20, a="number", b="text"),
    "2024-01.csv": raw("2024-01.csv", 10, a="integer"),
    "2024-03.csv": raw("2024-03.csv", 30, a="integer", c="text"),
}


@pytest.mark.parametrize(
    ("batches", "quarantined", "keys", "rows"),
    [
        ("all", {}, ["2024-01.csv", "2024-02.csv", "2024-03.csv"], 60),
        ({"last": 2}, {}, ["2024-02.csv", "2024-03.csv"], 50),
        ({"last": 9}, {}, ["2024-01.csv", "2024-02.csv", "2024-03.csv"], 60),
        ({"since": "2024-02"}, {}, ["2024-02.csv", "2024-03.csv"], 50),
        ({"since": "2025"}, {}, [], 0),
        ("all", {"2024-02.csv": ["schema"]}, ["2024-01.csv", "2024-03.csv"], 40),
        ({"last": 2}, {"2024-03.csv": ["schema"]}, ["2024-01.csv", "2024-02.csv"], 30),
        ("all", {"2024-02.csv": []}, ["2024-01.csv", "2024-02.csv", "2024-03.csv"], 60),
    ],
)
def test_the_window_is_what_was_asked_for_without_quarantine(
    batches: object, quarantined: dict[str, list[str]], keys: list[str], rows: int
) -> None:
    window = choose_batches(TABLES, quarantined, WindowConfig.model_validate({"batches": batches}))
    assert [batch.key for batch in window.batches] == keys
    assert window.rows == rows


def test_what_was_left_out_is_listed_with_the_reasons() -> None:
    quarantined = {"2024-01.csv": ["schema: gone", "rows: ragged"], "2024-03.csv": []}
    window = choose_batches(TABLES, quarantined, WindowConfig())
    assert window.excluded == (("2024-01.csv", "schema: gone; rows: ragged"),)


def test_columns_are_those_of_any_batch_with_the_widest_type() -> None:
    assert choose_batches(TABLES, {}, WindowConfig()).columns == (
        Column(name="a", type="number"),
        Column(name="b", type="text"),
        Column(name="c", type="text"),
    )


def test_no_batch_at_all_is_an_error_with_the_next_step() -> None:
    with pytest.raises(SourceError, match=r"No batch has been read yet\. Materialise raw_table"):
        choose_batches({}, {}, WindowConfig())


@pytest.mark.parametrize(("rows", "passed"), [(24, False), (25, True)])
def test_a_window_needs_25_rows(rows: int, passed: bool) -> None:
    enough, quarantine = window_checks(TrainingWindow(batches=(), rows=rows))
    assert (enough.name, enough.passed, enough.blocking) == ("enough_rows", passed, True)
    assert (quarantine.name, quarantine.passed, quarantine.blocking) == ("no_batch_in_quarantine", True, False)


def test_a_batch_in_quarantine_is_told_and_does_not_block() -> None:
    window = TrainingWindow(batches=(), rows=99, excluded=(("a.csv", "schema: gone"),))
    enough, quarantine = window_checks(window)
    assert enough.passed
    assert (quarantine.passed, quarantine.blocking) == (False, False)
    assert quarantine.description == "a.csv: schema: gone"


@pytest.mark.parametrize(
    ("failed", "answer", "why"),
    [
        ([], None, ""),
        (["schema: gone"], None, "schema: gone"),
        (["schema: gone"], "accepted", ""),
        ([], "accepted", ""),
        ([], "rejected", "rejected by a person"),
        (["schema: gone"], "rejected", "rejected by a person; schema: gone"),
        ([], "waiting", "waiting for a person's answer"),
    ],
)
def test_a_person_s_answer_counts_more_than_checks(failed: list[str], answer: Answer | None, why: str) -> None:
    assert why_excluded(failed, answer) == why
    answers: dict[str, Answer] = {"2024-02.csv": answer} if answer else {}
    window = choose_batches(TABLES, {"2024-02.csv": failed}, WindowConfig(), answers)
    assert window.excluded == ((("2024-02.csv", why),) if why else ())
    assert len(window.batches) == (2 if why else 3)


def test_the_last_batches_are_the_last_in_natural_order() -> None:
    tables = {f"batch_{number}.csv": raw(f"batch_{number}.csv") for number in (1, 2, 9, 10, 11)}
    window = choose_batches(tables, {}, WindowConfig.model_validate({"batches": {"last": 3}}))
    assert [batch.key for batch in window.batches] == ["batch_9.csv", "batch_10.csv", "batch_11.csv"]


def test_an_answer_is_about_the_content_it_was_given_for() -> None:
    def waits(batch: str, digest: str, answer: Answer) -> Quarantined:
        return Quarantined("churn", batch, digest, ("why",), answer)

    newest_first = [waits("a", "d2", "accepted"), waits("a", "d1", "rejected"), waits("b", "old", "rejected")]
    assert answers_about({"a": "d2", "b": "new", "c": "x"}, newest_first) == {"a": "accepted"}
    assert answers_about({"a": "d1", "b": "old"}, newest_first) == {"a": "rejected", "b": "rejected"}
