"""The page's sections about what the version does: scores, slices, leaderboard, curves, importances, tuning."""

from collections.abc import Sequence

from automl_assets.core.values import Member, Trial
from automl_assets.evaluation.money import money_rows
from automl_assets.evaluation.page_charts import (
    Dot,
    Estimate,
    bars,
    curve,
    estimates,
    heat,
    histogram,
    history,
    scatter,
)
from automl_assets.evaluation.page_facts import PageFacts, better_words, reliability_of
from automl_assets.evaluation.page_html import Html, element, figure, number, pairs, section, table
from automl_assets.learn.score import metric_named
from automl_assets.tuning.importances import parameter_importances

MOST_BARS = 20
MOST_SLICES = 40
MOST_MEMBERS = 30
HISTOGRAM_BINS = 24


def scores(facts: PageFacts) -> Html:
    """The holdout's score with its interval beside the baselines, and every other metric."""
    found = facts.evaluation
    drawn = estimates(
        [
            Estimate("this model", found.holdout.value, found.holdout.low, found.holdout.high),
            Estimate("linear model", found.linear),
            Estimate("dummy", found.dummy),
        ]
    )
    gain = found.gain_over_linear
    rows = [
        ("this model", number(found.holdout.value), f"{number(found.holdout.low)} … {number(found.holdout.high)}"),
        ("linear model", number(found.linear), ""),
        ("dummy", number(found.dummy), ""),
        ("gain over the linear model", f"{gain.value:+.3g}", f"{gain.low:+.3g} … {gain.high:+.3g}"),
    ]
    others = [
        (name, number(value), "higher" if metric_named(name).higher_is_better else "lower")
        for name, value in found.metrics.items()
    ]
    caption = f"{found.metric} on {found.rows:,} holdout rows; {better_words(facts)}; bars are 95% intervals."
    beside = table(["", found.metric, "95% interval"], rows, right=(1, 2), strong=(0,))
    every = table(["every metric", "value", "better is"], others, right=(1,))
    return section(
        "Scores", element("div", element("div", figure(drawn, caption), beside), every, class_="row"), _money(facts)
    )


def _money(facts: PageFacts) -> Html:
    """What the decisions cost and save on the holdout, where costs are stated."""
    found = facts.evaluation.money
    if found is None:
        return Html("")
    rows = [
        (what, number(a_row), number(total), "" if low is None or high is None else f"{number(low)} … {number(high)}")
        for what, a_row, total, low, high in money_rows(found)
    ]
    head = ["by the stated costs", "a row", f"on {found.rows:,} holdout rows", "95% interval"]
    return table(head, rows, right=(1, 2, 3), strong=(3, 4))


def slices(facts: PageFacts) -> Html:
    """The score by group of each sensitive column."""
    shown = [one for one in facts.evaluation.slices if one.column not in facts.hidden][:MOST_SLICES]
    known = [Estimate(f"{s.column} = {s.group}", s.score, s.low, s.high) for s in shown if s.score is not None]
    rows = [
        (s.column, s.group, f"{s.rows:,}", number(s.score),
         "" if s.low is None or s.high is None else f"{number(s.low)} … {number(s.high)}")
        for s in shown
    ]  # fmt: skip
    return section(
        "Slices",
        figure(estimates(known), f"{facts.evaluation.metric} by group; {better_words(facts)}.") if known else "",
        table(["column", "group", "rows", facts.evaluation.metric, "95% interval"], rows, right=(2, 3, 4))
        if rows
        else "",
    )


def leaderboard(facts: PageFacts) -> Html:
    """Every candidate with what it costs, and the score against a row's latency."""
    if facts.trained is None:
        return Html("")
    weights = {member.name: member.weight for member in facts.trained.members}
    shown = facts.trained.leaderboard[:MOST_MEMBERS]
    rows = [
        (m.name, "" if m.family == "ensemble" else number(weights.get(m.name, 0.0), 2), number(m.score),
         number(m.fit_seconds, 3), number(m.row_ms, 3), number(m.rows_per_second, 3), number(m.memory_mb, 3),
         number(m.size_mb, 3))
        for m in shown
    ]  # fmt: skip
    heads = ["model", "weight", f"{facts.trained.metric} out of fold", "fit s", "ms a row", "rows a second",
             "MiB to fit", "MiB on disk"]  # fmt: skip
    strong = [i for i, member in enumerate(shown) if member.family == "ensemble"]
    return section(
        "Leaderboard",
        table(heads, rows, right=range(1, 8), strong=strong),
        figure(
            _pareto(facts, shown, weights),
            "Score out of fold against what one row costs. Blue: the ensemble and its members; "
            "the line joins what nothing else beats on both.",
        ),
    )


def _pareto(facts: PageFacts, shown: tuple[Member, ...], weights: dict[str, float]) -> Html:
    """Candidates whose latency was measured."""
    assert facts.trained is not None
    timed = [member for member in shown if member.row_ms > 0]
    if len(timed) < 2:
        return Html("")
    sign = 1 if metric_named(facts.trained.metric).higher_is_better else -1
    front: list[tuple[float, float]] = []
    for member in sorted(timed, key=lambda m: (m.row_ms, -sign * m.score)):
        if not front or sign * member.score > sign * front[-1][1]:
            front.append((member.row_ms, member.score))
    dots = [Dot(m.row_ms, m.score, m.name, m.family == "ensemble" or m.name in weights) for m in timed]
    return scatter(dots, front, "milliseconds a row", f"{facts.trained.metric} ({better_words(facts)})")


def curves(facts: PageFacts) -> Html:
    """What the kind of problem calls for: ROC, confusion, reliability, residuals; and the predictions' spread."""
    found, drawn = facts.evaluation, []
    if found.roc:
        drawn.append(figure(curve(found.roc, "false positive rate", "true positive rate", diagonal=True), "ROC curve."))
    if reliability := reliability_of(found):
        drawing = curve(reliability, "predicted probability", "observed share", diagonal=True)
        drawn.append(figure(drawing, "Reliability: on the diagonal a probability is as often right as it says."))
    if found.confusion:
        caption = "Holdout rows by true class (down) and predicted class (across)."
        drawn.append(figure(heat(found.confusion, facts.classes), caption))
    if found.residual_quantiles and facts.problem.target not in facts.hidden:
        last = len(found.residual_quantiles) - 1
        points = [(q, i / last) for i, q in enumerate(found.residual_quantiles)]
        drawing = curve(points, "true minus predicted", "share of rows below", zero=True)
        drawn.append(figure(drawing, "Residuals: steep and centred on 0 is good."))
    drawn.append(_predictions(facts))
    return section("Curves", element("div", *drawn, class_="row") if any(drawn) else "")


def _predictions(facts: PageFacts) -> Html:
    """The spread of what the model says of the holdout: positive or top probabilities, or values."""
    expected = facts.expectations
    if expected is None or facts.problem.target in facts.hidden or not expected.predictions.points:
        return Html("")
    points = expected.predictions.points
    low, high = (0.0, 1.0) if facts.problem.classes else (points[0], points[-1])
    counts = [0] * HISTOGRAM_BINS
    for point in points:
        counts[min(HISTOGRAM_BINS - 1, int((point - low) / ((high - low) or 1) * HISTOGRAM_BINS))] += 1
    what = {0: "the predictions", 2: f"the probability of {facts.classes[-1] if facts.classes else ''}"}
    caption = f"Holdout rows by {what.get(len(facts.classes), 'the probability of the predicted class')}."
    return figure(histogram(counts, low, high, 360, 200), caption)


def importances(facts: PageFacts) -> Html:
    """What shuffling a column costs."""
    ranked = list(facts.evaluation.importances.items())
    if not ranked:
        return Html("")
    more = f" The {MOST_BARS} largest of {len(ranked)}." if len(ranked) > MOST_BARS else ""
    caption = f"By how much {facts.evaluation.metric} worsens on the holdout when a column is shuffled.{more}"
    return section("Importances", figure(bars(ranked[:MOST_BARS]), caption))


def tuning(facts: PageFacts) -> Html:
    """What was tried, in order."""
    study = facts.study
    if study is None:
        return Html("")
    scored = [trial for trial in study.trials if trial.score is not None]
    families = sorted({trial.family for trial in study.trials})
    states = {
        state: sum(t.state == state for t in study.trials) for state in ("complete", "partial", "pruned", "failed")
    }
    told = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    drawing = (
        history(
            [(t.score or 0.0, t.id, t.state == "complete") for t in scored],
            _best_so_far(scored, metric_named(study.metric).higher_is_better),
            f"{study.metric} ({better_words(facts)})",
        )
        if scored
        else Html("")
    )
    return section(
        "Tuning",
        pairs(
            {
                "trials": f"{len(study.trials)} ({told})",
                "families": ", ".join(families),
                "folds": str(study.folds),
                "seconds": number(study.seconds),
                "stopped because of": study.stopped_because,
            }
        ),
        figure(drawing, "Out-of-fold score of each trial; blue: on all folds; the line is the best so far."),
        *(
            figure(bars(list(shares.items())), f"{family}: how much of its score's variance each parameter explains.")
            for family, shares in parameter_importances(study).items()
        ),
    )


def _best_so_far(trials: Sequence[Trial], higher_is_better: bool) -> list[tuple[float, float]]:
    """The best whole trial up to each, from the first whole one on; trials count from 1."""
    choose = max if higher_is_better else min
    points: list[tuple[float, float]] = []
    for i, trial in enumerate(trials):
        whole = [trial.score] if trial.state == "complete" and trial.score is not None else []
        if whole or points:
            points.append((i + 1, choose([*whole, *(value for _, value in points[-1:])])))
    return points
