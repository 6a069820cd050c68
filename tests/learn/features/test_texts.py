"""N-grams against a plain loop, and components of texts."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_assets.learn.features import Encoder, Recipe
from automl_assets.learn.features.columns._ngrams import SLOTS, counted

SVD = Recipe(text="tfidf_svd")
SHAPE = ["a characters", "a words", "a digits", "a capitals", "a marks"]


def slots_of(text: str) -> dict[int, float]:
    ((_, counts),) = counted([text])
    return dict(zip(counts.indices.tolist(), counts.data.tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "characters", "words"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("cat", 3 + 2 + 1, 1),
        ("a b", 2, 3),
        ("Cat, cat", (4 + 3 + 2) + (3 + 2 + 1), 3),
    ],
)
def test_as_many_ngrams_are_counted_as_a_loop_would(text: str, characters: int, words: int) -> None:
    counts = slots_of(text)
    assert sum(count for slot, count in counts.items() if slot < SLOTS) == characters
    assert sum(count for slot, count in counts.items() if slot >= SLOTS) == words


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_text_is_counted_the_same_among_others(texts: list[str]) -> None:
    ((_, together),) = counted(texts)
    for row, text in enumerate(texts):
        ((_, alone),) = counted([text])
        assert (together[row] != alone).nnz == 0


def test_equal_words_meet_wherever_they_stand() -> None:
    words = [{slot for slot in slots_of(text) if slot >= SLOTS} for text in ("tea", "tea time", "more tea")]
    assert words[0] < words[1]
    assert words[0] < words[2]


def test_components_tell_topics_that_share_word_stems() -> None:
    sea = ["the sailors sail a ship", "sailing ships at sea", "a sailor and his shipmates", "shipping by sea"] * 5
    cook = ["cooking rice in a pot", "the cook cooked rice", "potted rice, cooked", "cooks and pots"] * 5
    table = pa.table({"a": sea + cook})
    encoder = Encoder.fit(table, {"a": "text"}, "codes", recipe=SVD)
    assert encoder.feature_names[-5:] == SHAPE
    found = encoder.transform(pa.table({"a": ["a shipped sailor", "cooker of rice", "sails", "pot"]}))[:, :-5]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    alike = found @ found.T
    assert alike[0, 2] > alike[0, 1]
    assert alike[1, 3] > alike[1, 0]


def test_the_shape_of_a_text_is_sizes_and_shares() -> None:
    table = pa.table({"a": ["Ab 12!", "", None, "ab ab"]})
    encoder = Encoder.fit(table, {"a": "text"}, "codes", recipe=SVD)
    found = encoder.transform(table)[:, -5:]
    np.testing.assert_allclose(found[0], [np.log1p(6), np.log1p(2), 2 / 6, 1 / 6, 1 / 6], rtol=1e-6)
    np.testing.assert_array_equal(found[1:3], np.zeros((2, 5)))


@pytest.mark.parametrize("view", ["codes", "dense"])
def test_a_text_has_both_words_and_components_by_default(view) -> None:
    encoder = Encoder.fit(pa.table({"a": ["red car", "red bus", "blue bus"]}), {"a": "text"}, view)
    assert encoder.feature_names[:3] == ["a: bus", "a: red", "a length"]
    assert "a component 1" in encoder.feature_names
    assert set(encoder.sources) == {"a"}


def test_long_and_many_texts_are_counted_in_pieces() -> None:
    texts = ["word " * 30_000, None, "other " * 50_000, "end"]
    pieces = list(counted(texts))
    assert [rows for rows, _ in pieces][-1].stop == 4
    assert sum(counts.shape[0] for _, counts in pieces) == 4
