"""Evidently's pages of a pipeline: one a day without drift, and not more than a hundred, of some megabytes each."""

import time
from collections.abc import Iterator
from pathlib import Path

MOST_PAGES = 100
A_DAY = 86_400.0


def drawn_today(folder: Path) -> bool:
    """Whether a page was written in the last day."""
    pages = [page.stat().st_mtime for page in folder.glob("*.html")]
    return bool(pages) and time.time() - max(pages) < A_DAY


def remove_surplus(folder: Path) -> Iterator[str]:
    """Remove the oldest pages beyond a hundred, and the pictures beside them; the names of the pages that went."""
    pages = sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime, reverse=True)
    for page in pages[MOST_PAGES:]:
        page.unlink(missing_ok=True)
        page.with_suffix(".png").unlink(missing_ok=True)
        yield page.name
