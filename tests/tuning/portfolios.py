"""Portfolios that tests state, so that the shipped one can be learnt anew without them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def portfolio_of(*listed: dict[str, Any]) -> Iterator[None]:
    """A search in this process starts from these entries; from each family's defaults alone where there are none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("automl_assets.tuning.portfolio.listed", lambda: listed)
        yield
