"""One category written in several ways."""

from collections import defaultdict

from automl_assets.quality.rules._base import ColumnFacts, Rule, Violation

MOST_CATEGORIES = 1_000


class CaseVariants(Rule):
    """Categories that differ by upper and lower case or spaces only; the rarer spellings are inconsistent."""

    component = "consistency"

    @classmethod
    def check(cls, facts: ColumnFacts) -> Violation | None:
        if facts.values is None or facts.counts is None or facts.role != "categorical":
            return None
        if facts.distinct > MOST_CATEGORIES:
            return None
        spellings: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for value, count in zip(facts.values.to_pylist(), facts.counts.to_pylist(), strict=True):
            spellings[" ".join(value.casefold().split())].append((count, value.strip()))
        several = [sorted(s, reverse=True) for s in spellings.values() if len({word for _, word in s}) > 1]
        rarer = sum(count for group in several for count, word in group if word != group[0][1])
        if not rarer:
            return None
        examples = tuple(" / ".join(dict.fromkeys(word for _, word in group))[:60] for group in several[:3])
        return Violation(rarer, "warning", "The same category is written in several ways.", examples)
