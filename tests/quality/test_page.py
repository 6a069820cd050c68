"""The report as a page."""

import re

from automl_assets.quality.page import quality_page
from automl_assets.quality.report import assess
from tests.quality.tables import dataset


def test_the_page_shows_score_findings_and_columns() -> None:
    page = quality_page(assess(dataset(age=[1.0, 2.0, None], plan=["a", "b", "a"])), title="Churn")
    assert "<title>Churn</title>" in page
    assert "3 rows, 2 columns" in page
    assert "missing_values" in page
    assert "a (2), b (1)" in page
    assert page.count("<rect") == 20
    assert page.count("<tr>") == 2 + 1 + 2  # two headings, a finding, two columns


def test_nothing_of_a_table_is_read_as_markup() -> None:
    table = dataset(**{"<script>alert(1)</script>": ["<b>", "<i>", "<b>"], "y": [1, 5, 9]})
    page = quality_page(assess(table), title="<script>")
    assert "<script" not in page
    assert "<i>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;b&gt; (2)" in page


def test_the_page_fetches_nothing() -> None:
    page = quality_page(assess(dataset(age=[1, 2, 5], plan=["a", "b", "a"])), title="Churn")
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page)
