from pathlib import Path

import pytest

from automl_assets.learn.families import Shape, registry
from automl_assets.learn.score import METRICS
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


def test_a_kill_while_the_defaults_are_asked_for_loses_them_not(tmp_path: Path) -> None:
    source = proposals(tmp_path, "xgboost")
    source._studies["xgboost"].ask()

    (found,) = proposals(tmp_path, "xgboost").earlier()

    assert (found.id, found.state) == ("xgboost-0", "open")
    assert found.params == pytest.approx(registry.get("xgboost").defaults(SHAPE))


def test_the_largest_seed_that_a_pipeline_may_state_proposes_too(tmp_path: Path) -> None:
    source = proposals(tmp_path, seed=2_000_000_000)

    assert [source.ask("linear").id for _ in range(4)] == ["linear-0", "linear-1", "linear-2", "linear-3"]
