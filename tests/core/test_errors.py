"""The tree of errors, and messages that say what, which and what next."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.core import errors
from automl_assets.core.errors import AutoMLError, InputError, JobError, bounded, did_you_mean, unknown_name

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AutoMLError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize(
    ("base", "names"),
    [
        (InputError, {"ConfigError", "SourceError", "SchemaError", "TargetError", "UnknownNameError"}),
        (JobError, {"BudgetError", "FitError", "StorageError", "RegistryError", "ProviderError"}),
        (AutoMLError, {"InputError", "JobError"}),
    ],
)
def test_the_tree_is_the_documented_one(base: type, names: set[str]) -> None:
    assert {kind.__name__ for kind in base.__subclasses__()} == names


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_user_can_mend_exits_with_2_and_the_rest_with_1(kind: type[AutoMLError]) -> None:
    assert kind("m").exit_code == (2 if issubclass(kind, InputError) else 1)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind("m").code for kind in KINDS]
    assert len(set(codes)) == len(codes) == 13


@pytest.mark.parametrize("kind", KINDS)
def test_the_drawing_on_top_of_the_module_shows_every_error(kind: type[AutoMLError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_way_between_processes(kind: type[AutoMLError]) -> None:
    error = kind("what", where="a.yaml:3", remedy="next", code="special")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert back.as_json() == {"code": "special", "message": "what", "where": "a.yaml:3", "remedy": "next"}
    assert str(back) == "a.yaml:3: what next"


def test_an_error_without_place_or_remedy_is_its_message() -> None:
    assert str(AutoMLError("what")) == "what"
    assert AutoMLError("what").as_json() == {"code": "error", "message": "what", "where": None, "remedy": None}


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("cvs", ["csv", "parquet"], "csv"),
        ("churn", ["Churn", "price"], "Churn"),
        ("TARGET", ["target", "weight"], "target"),
        ("tunning", ["tuning", "training"], "tuning"),
        ("zzz", ["csv", "parquet"], None),
        ("csv", [], None),
        ("", ["csv"], None),
    ],
)
def test_the_nearest_name_is_suggested_whatever_its_case(name: str, known: list[str], meant: str | None) -> None:
    assert did_you_mean(name, known) == meant


def test_an_unknown_name_is_answered_with_the_nearest_and_the_known_ones() -> None:
    error = unknown_name("source type", "cvs", ["parquet", "csv"], where="a.yaml:4")
    assert str(error) == "a.yaml:4: Unknown source type 'cvs'. Did you mean 'csv'? Known: csv, parquet."


def test_an_unknown_name_among_none_says_that_there_is_none() -> None:
    assert str(unknown_name("pipeline", "churn", [])) == "Unknown pipeline 'churn'. There is no pipeline yet."


@pytest.mark.parametrize(
    ("names", "most", "text"),
    [
        ([], 3, ""),
        (["a", "b", "c"], 3, "a, b, c"),
        (["a", "b", "c", "d", "e"], 3, "a, b, c, … and 2 more"),
    ],
)
def test_a_list_in_a_message_is_bounded(names: list[str], most: int, text: str) -> None:
    assert bounded(names, most) == text


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=30))
def test_a_suggestion_is_always_a_known_name_and_no_list_is_long(name: str, known: list[str]) -> None:
    meant = did_you_mean(name, known)
    assert meant is None or meant in known
    assert (bounded(known).count("more") == 1) or len(known) <= 12 or any("more" in word for word in known)
