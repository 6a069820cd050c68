from pathlib import Path

import pytest

from automl_assets.learn.families import Shape, registry
from automl_assets.learn.score import METRICS
from automl_assets.tuning.portfolio import Entry
from automl_assets.tuning.proposals import Proposals
from automl_assets.tuning.trial_store import TrialStore
from tests.tuning.fakes import write_fold

SHAPE = Shape(rows=1000, features=8, classes=2)


def proposals(folder: Path, *families: str, metric: str = "roc_auc", seed: int = 0) -> Proposals:
    folder.mkdir(exist_ok=True)
    return Proposals(TrialStore(folder), families or ("linear",), SHAPE, METRICS[metric], folds=2, seed=seed)


@pytest.mark.parametrize("family", registry.names())
def test_a_familys_first_proposal_is_its_defaults(tmp_path: Path, family: str) -> None:
    first = proposals(tmp_path, family).ask(family)

    assert first.id == f"{family}-0"
    assert first.params == pytest.approx(registry.get(family).defaults(SHAPE))


def test_later_proposals_differ_and_are_numbered(tmp_path: Path) -> None:
    source = proposals(tmp_path)

    asked = [source.ask("linear") for _ in range(4)]

    assert [candidate.id for candidate in asked] == ["linear-0", "linear-1", "linear-2", "linear-3"]
    assert len({candidate.params["strength"] for candidate in asked}) == 4
    assert all(1e-3 <= candidate.params["strength"] <= 1e3 for candidate in asked)


def test_an_interrupted_candidate_comes_back_open_with_its_folds(tmp_path: Path) -> None:
    asked = proposals(tmp_path).ask("linear")
    write_fold(TrialStore(tmp_path).fold_folder(asked.id, 0), 0.75)

    again = proposals(tmp_path)
    (found,) = again.earlier()

    assert (found.id, found.state, found.params) == (asked.id, "open", asked.params)
    assert found.results[0].score == 0.75
    assert again.ask("linear").id == "linear-1"


@pytest.mark.parametrize(
    ("state", "scores", "comes_back"),
    [("complete", [0.5, 0.7], "complete"), ("pruned", [0.5], "pruned"), ("failed", [], "failed")],
)
def test_what_was_told_is_remembered(tmp_path: Path, state: str, scores: list[float], comes_back: str) -> None:
    first = proposals(tmp_path)
    candidate = first.ask("linear")
    for fold, score in enumerate(scores):
        write_fold(TrialStore(tmp_path).fold_folder(candidate.id, fold), score)
        result = TrialStore(tmp_path).result(candidate.id, fold)
        assert result is not None
        candidate.results[fold] = result
    candidate.state = state  # type: ignore[assignment]
    first.tell(candidate)

    (found,) = proposals(tmp_path).earlier()

    assert found.state == comes_back
    assert [found.results[fold].score for fold in found.done()] == scores


def test_a_fit_that_failed_before_the_kill_is_not_tried_again(tmp_path: Path) -> None:
    asked = proposals(tmp_path).ask("linear")
    TrialStore(tmp_path).log_fit(asked.id, 0, "memory", "", 2.5, 900.0)

    (found,) = proposals(tmp_path).earlier()

    assert (found.state, found.reason, found.seconds, found.memory_mb) == ("failed", "memory", 2.5, 900.0)


def test_within_the_portfolio_optuna_is_not_asked(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    entries = [Entry("linear", {"strength": 1.0}), Entry("linear", {"strength": 5.0})]
    source = Proposals(TrialStore(folder), ("linear",), SHAPE, METRICS["roc_auc"], folds=2, seed=0, portfolio=entries)

    asked = [source.ask("linear").params["strength"] for _ in range(2)]

    assert asked == [1.0, 5.0]
    assert source._studies == {}
    assert source.ask("linear").params["strength"] not in (1.0, 5.0)
    assert len(source._studies["linear"][0].trials) == 3


def test_a_restart_goes_on_with_the_portfolio_where_a_kill_ended_it(tmp_path: Path) -> None:
    entries = [Entry("linear", {"strength": float(n)}) for n in (1, 2, 3)]

    def source() -> Proposals:
        return Proposals(
            TrialStore(tmp_path), ("linear",), SHAPE, METRICS["roc_auc"], folds=2, seed=0, portfolio=entries
        )

    source().ask("linear")

    again = source()

    assert [(c.id, c.params) for c in again.earlier()] == [("linear-0", {"strength": 1.0})]
    assert [again.ask("linear").params["strength"] for _ in range(2)] == [2.0, 3.0]


def test_stated_params_are_tried_as_they_are_and_leave_the_portfolio_where_it_was(tmp_path: Path) -> None:
    source = proposals(tmp_path)

    assert source.ask("linear", {"strength": 7.0}).params == {"strength": 7.0}
    assert source.ask("linear").params == registry.get("linear").defaults(SHAPE)


def test_optuna_learns_of_what_an_earlier_attempt_tried(tmp_path: Path) -> None:
    first = proposals(tmp_path)
    candidate = first.ask("linear")
    write_fold(TrialStore(tmp_path).fold_folder(candidate.id, 0), 0.5)
    write_fold(TrialStore(tmp_path).fold_folder(candidate.id, 1), 0.7)
    candidate.results = {result.fold: result for result in TrialStore(tmp_path).results(candidate.id, 2)}
    candidate.state = "complete"
    first.tell(candidate)

    again = proposals(tmp_path)
    again.ask("linear")

    trials = again._studies["linear"][0].trials
    assert [(trial.state.name, trial.value) for trial in trials] == [
        ("COMPLETE", pytest.approx(0.6)),
        ("RUNNING", None),
    ]


def test_the_largest_seed_that_a_pipeline_may_state_proposes_too(tmp_path: Path) -> None:
    source = proposals(tmp_path, seed=2_000_000_000)

    assert [source.ask("linear").id for _ in range(4)] == ["linear-0", "linear-1", "linear-2", "linear-3"]
