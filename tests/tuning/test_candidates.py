import pytest

from automl_assets.learn.score import METRICS
from automl_assets.tuning.candidates import (
    KEPT,
    Candidate,
    is_promising,
    is_surely_worse,
    leader,
    losers,
    rank_families,
    usable_folds,
    wilcoxon_p,
)
from automl_assets.tuning.trial_store import FoldResult

AUC, RMSE = METRICS["roc_auc"], METRICS["rmse"]


def a_candidate(family: str = "linear", number: int = 0, **scores: float) -> Candidate:
    """A candidate with scores by fold: ``a_candidate(f0=0.8, f2=0.9)``."""
    results = {
        int(name[1:]): FoldResult(int(name[1:]), score, rows=10, fit_seconds=2.0, size_mb=1.0, device="cpu")
        for name, score in scores.items()
    }
    return Candidate(family, number, {}, results=results)


@pytest.mark.parametrize(
    ("scores", "folds", "mean"),
    [
        ({"f0": 0.5, "f1": 1.0}, [0, 1], 0.75),
        ({"f0": 0.5, "f1": 1.0}, [1], 1.0),
        ({"f0": 0.5}, [0, 1], None),
        ({}, [], None),
    ],
)
def test_a_mean_needs_every_fold_that_it_is_over(
    scores: dict[str, float], folds: list[int], mean: float | None
) -> None:
    assert a_candidate(**scores).mean(folds) == mean


@pytest.mark.parametrize(
    ("scores", "running", "folds", "expected"),
    [
        ({}, set(), 5, 0),
        ({}, {0}, 5, None),
        ({"f0": 1.0}, set(), 5, 1),
        ({"f0": 1.0}, {1, 2}, 5, 3),
        ({"f0": 1.0, "f2": 1.0}, set(), 3, 1),
        ({"f0": 1.0, "f1": 1.0}, set(), 2, None),
        ({"f0": 1.0}, set(), 1, None),
    ],
)
def test_the_first_fold_comes_alone_and_then_whatever_is_missing(
    scores: dict[str, float], running: set[int], folds: int, expected: int | None
) -> None:
    candidate = a_candidate(**scores)
    candidate.running = running

    assert candidate.next_fold(folds) == expected


@pytest.mark.parametrize(
    ("scores", "state", "folds", "told", "score", "seconds"),
    [
        ({"f0": 0.6, "f1": 0.8}, "open", 2, "complete", 0.7, 4.0),
        ({"f0": 0.6}, "open", 2, "partial", 0.6, 2.0),
        ({"f0": 0.6}, "pruned", 2, "pruned", 0.6, 2.0),
        ({}, "failed", 2, "failed", None, 0.0),
        ({}, "open", 2, "partial", None, 0.0),
        ({"f0": 0.6, "f1": 0.8, "f2": 0.1}, "complete", 2, "complete", 0.7, 4.0),
    ],
)
def test_a_trial_tells_the_score_over_the_studys_folds(
    scores: dict[str, float], state: str, folds: int, told: str, score: float | None, seconds: float
) -> None:
    candidate = a_candidate(number=3, **scores)
    candidate.state = state  # type: ignore[assignment]

    trial = candidate.as_trial(folds)

    assert (trial.id, trial.state, trial.fit_seconds) == ("linear-3", told, seconds)
    assert trial.score == (None if score is None else pytest.approx(score))


def test_a_candidate_is_promising_until_eight_others_beat_it_on_its_folds() -> None:
    mine = a_candidate("mine", f0=0.5)
    better = [a_candidate("rival", i, f0=0.6, f1=0.0) for i in range(KEPT)]

    assert is_promising(mine, better[:-1], AUC)
    assert not is_promising(mine, better, AUC)
    assert is_promising(mine, [*better[:-1], mine, a_candidate("tie", f0=0.5), a_candidate("other", f1=0.9)], AUC)


def test_less_error_is_better() -> None:
    rivals = [a_candidate("rival", i, f0=1.0) for i in range(KEPT)]

    assert not is_promising(a_candidate(f0=2.0), rivals, RMSE)
    assert is_promising(a_candidate(f0=0.5), rivals, RMSE)


def test_a_candidate_without_a_fold_is_promising() -> None:
    assert is_promising(a_candidate(), [a_candidate("rival", i, f0=1.0) for i in range(20)], AUC)


def test_families_rank_by_their_best_complete_candidate() -> None:
    candidates = [
        a_candidate("a", 0, f0=0.7, f1=0.7),
        a_candidate("b", 0, f0=0.6, f1=0.6),
        a_candidate("b", 1, f0=0.9, f1=0.9),
        a_candidate("unfinished", 0, f0=1.0),
    ]

    assert rank_families(candidates, 2, AUC) == ["b", "a"]
    assert rank_families(candidates, 2, RMSE) == ["b", "a"]
    assert rank_families(candidates, 1, RMSE) == ["b", "a", "unfinished"]


def test_the_leader_is_the_best_of_those_with_most_folds() -> None:
    ahead = a_candidate("a", 0, f0=0.7, f1=0.7)

    assert leader([ahead, a_candidate("b", 0, f0=1.0), a_candidate("c", 0, f0=0.6, f1=0.6)], AUC) is ahead
    assert leader([a_candidate()], AUC) is None


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([], 0), ([{}], 0), ([{"f1": 1.0}], 0), ([{"f0": 1.0, "f2": 1.0}], 1), ([{"f0": 1.0}, {"f0": 1, "f1": 1}], 2)],
)
def test_folds_are_usable_from_the_first_without_a_gap(scores: list[dict[str, float]], expected: int) -> None:
    assert usable_folds([a_candidate(**each) for each in scores]) == expected


def test_losers_are_beyond_sixteen_but_never_a_familys_best() -> None:
    candidates = [a_candidate("good", i, f0=0.9 - i / 100) for i in range(2 * KEPT + 2)]
    candidates.append(a_candidate("poor", 0, f0=0.1))
    for candidate in candidates:
        candidate.state = "complete"

    assert [c.id for c in losers(candidates, 1, AUC)] == ["good-16", "good-17"]


@pytest.mark.parametrize(
    ("differences", "p"),
    [([], 1.0), ([1.0], 1 / 2), ([1.0, 2.0, 3.0], 1 / 8), ([1.0, 2.0, 3.0, 4.0], 1 / 16),
     ([-1.0, 2.0, 3.0, 4.0], 1 / 8),
     ([1.0, -2.0, 3.0], 3 / 8), ([-1.0, -2.0, -3.0], 1.0)],
)  # fmt: skip
def test_the_signed_rank_test_counts_the_signs_that_would_do_as_much(differences: list[float], p: float) -> None:
    assert wilcoxon_p(differences) == p


@pytest.mark.parametrize(
    ("mine", "theirs", "worse"),
    [
        ({"f0": 0.5, "f1": 0.6, "f2": 0.6, "f3": 0.6}, {"f0": 0.7, "f1": 0.7, "f2": 0.7, "f3": 0.7}, True),
        ({"f0": 0.5, "f1": 0.6, "f2": 0.6}, {"f0": 0.7, "f1": 0.7, "f2": 0.7}, False),
        ({"f0": 0.9, "f1": 0.6, "f2": 0.6, "f3": 0.6}, {"f0": 0.7, "f1": 0.7, "f2": 0.7, "f3": 0.7}, False),
        ({"f0": 0.5}, {"f1": 0.9}, False),
    ],
)
def test_one_is_surely_worse_when_it_is_on_four_folds_or_more(
    mine: dict[str, float], theirs: dict[str, float], worse: bool
) -> None:
    assert is_surely_worse(a_candidate(**mine), a_candidate("svm", **theirs), AUC) is worse


def test_nothing_is_worse_than_itself_or_than_nothing() -> None:
    mine = a_candidate(f0=0.5, f1=0.5, f2=0.5, f3=0.5)

    assert not is_surely_worse(mine, mine, AUC)
    assert not is_surely_worse(mine, None, AUC)
