"""Texts: how long they are."""

from automl_assets.core.label_sketches import TextSketch
from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured
from automl_assets.monitoring.drift.ks import kolmogorov_smirnov


class TextLength(DriftTest):
    """The Kolmogorov–Smirnov test on the number of characters."""

    roles = ("text",)
    aspect = "text_length"
    least_effect = 0.1

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        assert isinstance(reference, TextSketch)
        assert isinstance(current, TextSketch)
        return kolmogorov_smirnov(reference.lengths.cells, current.lengths.cells)
