"""Categories: rows with a label that the reference does not hold."""

from automl_assets.core.label_sketches import CategorySketch
from automl_assets.core.sketches import Sketch
from automl_assets.monitoring.drift._base import DriftTest, Measured


class NewCategories(DriftTest):
    """The share of such rows. Expected by chance: the share of labels seen once (Good 1953), itself uncertain.

    So the number of such rows has a beta-binomial distribution with that share's posterior.
    """

    roles = ("categorical",)
    aspect = "new_categories"
    least_effect = 0.02

    @classmethod
    def measure(cls, reference: Sketch, current: Sketch) -> Measured:
        from scipy.stats import betabinom

        assert isinstance(reference, CategorySketch)
        assert isinstance(current, CategorySketch)
        if not reference.complete:
            return Measured(None, reason="the reference has more labels than are kept")
        unseen = int(current.cells[reference.cells == 0].sum())
        once = int((reference.cells == 1).sum())
        p = 1.0
        if unseen:
            p = float(betabinom.sf(unseen - 1, current.known, once + 1, max(1, reference.known - once)))
        return Measured(unseen / current.known, p)
