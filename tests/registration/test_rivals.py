from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_assets.core.evidence import RivalScore
from automl_assets.core.records import Act
from automl_assets.core.values import Interval, value_from_document
from automl_assets.registration.rivals import (
    PROBATION_BATCHES,
    Rival,
    Role,
    decide_rivals,
    pooled_gain,
    previous_champion,
    rivals_of,
    score_rival,
)
from tests.registration.test_unseen import a_card

AT = datetime(2024, 5, 1, tzinfo=UTC)
FIRST = Act("p", "promote", "the gate", "why", None, "1", AT)
PROMOTED = Act("p", "promote", "the gate", "why", "1", "2", AT)
ROLLED_BACK = Act("p", "rollback", "monitoring", "why", "2", "1", AT)


def score(
    gain: float, half: float = 0.05, rows: int = 500, *, role: Role = "challenger", version: str = "3", **more: float
) -> RivalScore:
    interval = Interval(value=gain, low=gain - half, high=gain + half)
    fields = {"scored": 1000, **more}
    return RivalScore.model_validate(
        {"version": version, "role": role, "rows": rows, "gain": interval.model_dump(), **fields}
    )


def of_previous(gain: float, half: float = 0.05, rows: int = 500) -> RivalScore:
    return score(gain, half, rows, role="previous", version="1")


def unlabelled(disagreement: float = 0.0, scored: int = 1000) -> RivalScore:
    return score(0.0, 0.0, 0, scored=scored, disagreement=disagreement)


# ---- who scores beside the champion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acts", "champion", "previous"),
    [
        ([PROMOTED, FIRST], "2", "1"),
        ([FIRST], "1", None),
        ([], "1", None),
        ([ROLLED_BACK, PROMOTED, FIRST], "1", None),
        ([PROMOTED, FIRST], "7", None),
        ([replace(PROMOTED, before="2")], "2", None),
    ],
)
def test_the_version_before_is_the_one_that_the_newest_promotion_replaced(
    acts: Sequence[Act], champion: str, previous: str | None
) -> None:
    assert previous_champion(acts, champion) == previous


BEFORE, CHALLENGER = Rival("1", "previous"), Rival("3", "challenger")


@pytest.mark.parametrize(
    ("champion", "challenger", "scores", "rivals"),
    [
        ("2", None, [], (BEFORE,)),
        ("2", "3", [], (BEFORE, CHALLENGER)),
        ("2", "3", [of_previous(0.0)] * (PROBATION_BATCHES - 1), (BEFORE, CHALLENGER)),
        ("2", "3", [of_previous(0.0)] * PROBATION_BATCHES, (CHALLENGER,)),
        ("2", None, [of_previous(0.0, rows=0)] * 9, (BEFORE,)),
        ("2", None, [RivalScore(version="1", role="previous", rows=0, gain=unlabelled().gain)], ()),
        ("2", "2", [], (BEFORE,)),
        (None, "3", [], ()),
    ],
    ids=[
        "a probation", "both", "a long probation", "its end", "no labels yet", "it can't score", "itself", "nobody",
    ],
)  # fmt: skip
def test_the_rivals_on_the_next_batch(
    champion: str | None, challenger: str | None, scores: list[RivalScore], rivals: tuple[Rival, ...]
) -> None:
    assert rivals_of([PROMOTED, FIRST], champion=champion, challenger=challenger, scores=scores) == rivals


# ---- how one did on a batch --------------------------------------------------------------------------------------


Y = np.array([0, 1] * 50)
GOOD = np.column_stack([1 - Y * 0.8 - 0.1, Y * 0.8 + 0.1])
POOR = np.full((100, 2), 0.5)
ALL = np.ones(100, dtype=bool)


def scored(champion: np.ndarray, predicted: np.ndarray | None, judged: np.ndarray = ALL) -> RivalScore:
    return score_rival(CHALLENGER, Y, judged, champion, predicted, a_card())


def test_a_better_rival_gains_on_the_labelled_rows() -> None:
    found = scored(POOR, GOOD, ALL & (np.arange(100) < 40))

    assert (found.version, found.role, found.rows, found.scored) == ("3", "challenger", 40, 100)
    assert found.gain.value == 0.5
    assert found.disagreement == 0.5


@pytest.mark.parametrize("labelled", [0, 19])
def test_too_few_labels_measure_nothing_but_the_disagreement(labelled: int) -> None:
    found = scored(POOR, GOOD, np.arange(100) < labelled)

    assert (found.rows, found.gain.value, found.scored, found.disagreement) == (0, 0.0, 100, 0.5)


def test_an_undefined_metric_measures_nothing_and_the_score_can_be_stored() -> None:
    found = scored(POOR, GOOD, Y == 1)

    assert found.rows == 0
    assert value_from_document(found.to_document()) == found


def test_a_rival_that_can_not_score_the_batch_says_so() -> None:
    assert (scored(POOR, None).scored, scored(POOR, None).rows) == (0, 0)


def test_numbers_disagree_outside_of_the_champion_s_interval() -> None:
    card = replace(a_card(), kind="regression", metric="mae", classes=(), residual_quantile=1.0)
    champion, rival = np.zeros(100), np.r_[np.full(75, 0.9), np.full(25, 1.1)]

    found = score_rival(CHALLENGER, np.zeros(100), ALL, champion, rival, card)

    assert (found.disagreement, found.gain.value) == (0.25, pytest.approx(-0.95))


# ---- what follows ------------------------------------------------------------------------------------------------

# scores, shadow_batches -> action, version, what the reason says
TABLE = [
    ([], 3, "wait", None, "there is no challenger"),
    ([score(0.01)] * 2, 3, "wait", None, "version 3 has scored 2 of 3 batches"),
    ([score(0.01)] * 3, 3, "promote", "3", "did better beside the champion: roc_auc +0.01 [-0.018868, +0.038868]"),
    ([score(0.01)] * 1, 0, "promote", "3", "on 500 rows of 1 batch"),
    ([score(0.0)] * 3, 3, "drop", "3", "did no better"),
    ([score(-0.01)] * 3, 3, "drop", "3", "did no better"),
    ([score(0.3, rows=100), score(-0.1, rows=900)], 2, "drop", "3", "roc_auc -0.06 ["),
    ([unlabelled(0.1)] * 2 + [score(0.02)], 3, "promote", "3", "on 500 rows of 1 batch"),
    ([unlabelled(0.1), unlabelled(0.3, 3000)], 2, "review", "3", "they disagree on 25.0%; a person decides"),
    ([unlabelled(0.0, 0)] * 2, 2, "drop", "3", "could score none of 2 batches"),
    ([of_previous(0.1)], 0, "rollback", "1", "version 1, the champion before, is better since the promotion"),
    ([of_previous(0.06)], 0, "wait", None, ""),
    ([of_previous(0.06)] * 2, 0, "rollback", "1", "on 1,000 rows of 2 batches"),
    ([of_previous(0.1, rows=99)], 0, "wait", None, ""),
    ([of_previous(0.1, rows=19)] * 9, 0, "wait", None, ""),
    ([of_previous(-0.2)] * 5, 0, "wait", None, ""),
    ([of_previous(0.1), score(0.1)], 1, "rollback", "1", ""),
    ([of_previous(0.0), score(0.1)], 1, "promote", "3", ""),
]


@pytest.mark.parametrize(("scores", "batches", "action", "version", "told"), TABLE)
def test_the_decision(scores: list[RivalScore], batches: int, action: str, version: str | None, told: str) -> None:
    found = decide_rivals(scores, shadow_batches=batches, metric="roc_auc")

    assert (found.action, found.version) == (action, version)
    assert told in found.reason


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.integers(20, 10_000)), min_size=1, max_size=6))
def test_the_pooled_gain_lies_between_the_gains_and_is_surer_than_the_least_sure(
    batches: list[tuple[float, float, int]],
) -> None:
    pooled = pooled_gain([score(*batch) for batch in batches])

    assert pooled is not None
    gains, widest = [gain for gain, _, _ in batches], max(half for _, half, _ in batches)
    assert min(gains) - 1e-9 <= pooled.value <= max(gains) + 1e-9
    assert pooled.standard_error <= widest / 1.95
    assert pooled.rows == sum(rows for _, _, rows in batches)


def test_equal_versions_are_rarely_rolled_back() -> None:
    generator = np.random.default_rng(0)
    rollbacks = 0
    for _ in range(1000):
        drawn = [of_previous(float(gain), half=0.0196) for gain in generator.normal(0, 0.01, PROBATION_BATCHES)]
        looks = [decide_rivals(drawn[:n], shadow_batches=0, metric="rmse").action for n in range(1, len(drawn) + 1)]
        rollbacks += "rollback" in looks
    assert rollbacks <= 25
