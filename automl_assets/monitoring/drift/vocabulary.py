"""Texts: which words they use."""

from automl_assets.core.label_sketches import TextSketch
from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured
from automl_assets.monitoring.drift.tvd import total_variation


class Vocabulary(DriftTest):
    """The total variation distance of the words' shares by bucket of their hash, and its chi-squared test.

    `unseen` is the share of words in buckets that the reference left empty. Words of one text are not independent: the
    counts are scaled down to the number of texts before they are tested.
    """

    roles = ("text",)
    aspect = "vocabulary"
    least_effect = 0.2

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        assert isinstance(reference, TextSketch)
        assert isinstance(current, TextSketch)
        a, b = reference.tokens, current.tokens
        if not a.sum() or not b.sum():
            return Measured(None, reason="insufficient data: no words on one side")
        texts = min(1.0, reference.known / a.sum()), min(1.0, current.known / b.sum())
        found = total_variation(a * texts[0], b * texts[1])
        unseen = float(b[a == 0].sum() / b.sum())
        return Measured(found.effect, found.p_value, details={**found.details, "unseen": unseen})
