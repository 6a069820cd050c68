"""What a search does next, decided in values: which configuration, which of its folds, for how many seconds.

1. *Floor*: a linear and a small boosted model, so that a valid model exists whenever the budget ends.
2. *Breadth*: fold 0 of the portfolio's configurations in their order.
3. *Depth*: the other folds of the configurations that a weighted ensemble wants; every finished fold's model is used.
   Depth begins when what it would take has to begin to be finished in time; where all of the portfolio fits with all of
   its folds, every configuration that is still among the best gets them.
4. *Feeding*: a booster that was cut short, and leads, is fitted anew with a larger share of the time.
5. *Stack*: one layer that learns from what the members predict out of fold, and a guard that drops it unless it holds
   on rows held out.
6. *Search*: new configurations by Optuna, as in 2 and 3, until the time ends.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from automl_assets.learn.families import Shape, registry
from automl_assets.learn.families.stack import INPUTS
from automl_assets.learn.score import Metric
from automl_assets.learn.split import FOLDS
from automl_assets.tuning.candidates import Candidate, is_promising, rank_families
from automl_assets.tuning.cost import CostModel
from automl_assets.tuning.portfolio import Entry
from automl_assets.tuning.stacking import STACK, bases_of

FLOOR = ("linear", "lightgbm")
FLOOR_SHARE = 0.08
FIT_SHARE = 0.2
SHORTEST_FIT_SECONDS = 4.0
SAFE_SHARE = 0.85
LONG_ENOUGH_SECONDS = 1.5
FEED_SHARE = 0.2
FEED_FACTOR = 1.6
CHEAP_SHARE, WORTH = 0.02, 0.5
MOST_IN_VAIN = 24
EXPLORED_FAMILIES = 4
MORE_FOLDS, MORE_FOLDS_SHARE = 8, 0.4
MOST_STACKED, STACK_SHARE, LEAST_STACKED_ROWS = 5, 0.6, 750
STRIKES = 3


@dataclass(frozen=True)
class Move:
    """A fit to start: folds of a candidate, or of a new one of `family`; `seconds` it may last.

    feeds: a configuration that was cut short gets all the time that is left. guards: no fold, but whether a stack layer
    holds on rows held out.
    """

    family: str
    folds: tuple[int, ...]
    seconds: float
    candidate: Candidate | None = None
    params: Mapping[str, object] | None = None
    feeds: bool = False
    guards: bool = False


@dataclass
class Situation:
    """All that a decision depends on.

    shape: of a fold's training rows. weights: of the ensemble on fold 0, by candidate. in_vain: how many new
    configurations, the last ones, did not make the ensemble surely better.
    """

    candidates: Sequence[Candidate]
    portfolio: Sequence[Entry]
    cost: CostModel
    shape: Shape
    folds: int
    workers: int
    budget_seconds: float
    seconds_left: float
    metric: Metric
    max_trials: int | None = None
    weights: Callable[[], Mapping[str, float]] = dict
    failures: Mapping[str, int] = field(default_factory=dict)
    in_vain: int = 0
    may_stack: bool = False

    def is_alive(self, family: str) -> bool:
        """Whether a family may still be tried."""
        return self.failures.get(family, 0) < STRIKES

    def may_ask(self) -> bool:
        """Whether a new configuration may still be tried."""
        return self.max_trials is None or len(self.candidates) < self.max_trials

    def untried(self) -> list[Entry]:
        """What of the portfolio was not begun, in its order, the floor first."""
        begun: dict[str, int] = {}
        for candidate in self.candidates:
            begun[candidate.family] = begun.get(candidate.family, 0) + 1
        left: list[Entry] = []
        for entry in self.portfolio:
            if begun.get(entry.family, 0) > 0:
                begun[entry.family] -= 1
            elif self.is_alive(entry.family):
                left.append(entry)
        floor = [e for e in left if e.family in FLOOR and not any(c.family == e.family for c in self.candidates)]
        first = [next(e for e in floor if e.family == name) for name in FLOOR if any(e.family == name for e in floor)]
        return first + [entry for entry in left if entry not in first]

    def seconds(self, candidate: Candidate) -> float:
        """About how long one more fold of a candidate takes: as long as those that it has finished."""
        done = [result.fit_seconds for result in candidate.results.values()]
        if done:
            return sum(done) / len(done)
        return self.cost.seconds(candidate.family, candidate.params, self.shape)

    def missing(self, candidate: Candidate) -> list[int]:
        """The folds that a candidate has neither finished nor begun; the first comes alone."""
        wanted = range(self.folds) if 0 in candidate.results else range(1)
        return [k for k in wanted if k not in candidate.results and k not in candidate.running]


def next_move(now: Situation) -> Move | None:
    """The next fit to start; None when there is nothing that would end in time."""
    for candidate in now.candidates:
        if candidate.state == "open" and not candidate.results and not candidate.running:
            return _deepen(now, candidate)
    untried = now.untried() if now.may_ask() else []
    if untried and untried[0].family in FLOOR and not any(c.family == untried[0].family for c in now.candidates):
        return _begin(now, untried[0], max(SHORTEST_FIT_SECONDS, FLOOR_SHARE * now.budget_seconds))
    wanted = _wanted(now, untried)
    depth_seconds = sum(now.seconds(c) * len(now.missing(c)) for c in wanted) / now.workers
    new = _affordable(now, untried, depth_seconds)
    if new is not None:
        return _begin(now, new, _slot(now))
    for candidate in wanted:
        move = _deepen(now, candidate)
        if move is not None:
            return move
    return _guard(now) or _stack(now) or _feed(now) or _explore(now)


def folds_for(portfolio: Sequence[Entry], cost: CostModel, shape: Shape, *, seconds: float, workers: int) -> int:
    """Eight folds where the whole portfolio has time for them before anything else is tried; else five.

    Where time is short not all of the five are used: one is a holdout of a fifth, and each more that the time is enough
    for is a model more.
    """
    whole = sum(cost.seconds(entry.family, entry.params, shape) for entry in portfolio) * MORE_FOLDS / workers
    return MORE_FOLDS if whole <= MORE_FOLDS_SHARE * seconds else FOLDS


def _slot(now: Situation) -> float:
    return max(SHORTEST_FIT_SECONDS, FIT_SHARE * now.budget_seconds)


def _begin(now: Situation, entry: Entry, seconds: float) -> Move | None:
    seconds = min(seconds, now.seconds_left)
    return Move(entry.family, (0,), seconds, params=entry.params) if seconds > 0 else None


def _affordable(now: Situation, untried: Sequence[Entry], depth_seconds: float) -> Entry | None:
    """The first of the portfolio that leaves time for the depth that is already wanted."""
    left = SAFE_SHARE * now.seconds_left
    for entry in untried:
        predicted = min(_slot(now), now.cost.seconds(entry.family, entry.params, now.shape))
        if predicted + depth_seconds <= left:
            return entry
    return None


def fits_whole(now: Situation, untried: Sequence[Entry]) -> bool:
    """Whether the whole portfolio can have all of its folds in the time that is left."""
    new = sum(min(_slot(now), now.cost.seconds(e.family, e.params, now.shape)) for e in untried) * now.folds
    old = sum(now.seconds(c) * len(now.missing(c)) for c in now.candidates if c.state == "open")
    return (new + old) / now.workers <= SAFE_SHARE * now.seconds_left


def _wanted(now: Situation, untried: Sequence[Entry]) -> list[Candidate]:
    """The candidates whose other folds are wanted, in the order in which they are."""
    open_ones = [
        c for c in now.candidates if c.state == "open" and c.results and now.missing(c) and now.is_alive(c.family)
    ]
    if fits_whole(now, untried):
        chosen = [c for c in open_ones if is_promising(c, now.candidates, now.metric)]
        return sorted(chosen, key=lambda c: (-len(c.results), now.metric.loss(c.mean(c.done()) or 0.0)))
    weights = now.weights()
    costs = {c.id: now.seconds(c) * len(now.missing(c)) / now.workers for c in open_ones}

    def priority(c: Candidate) -> tuple[float, float]:
        return -weights.get(c.id, 0.0) / max(costs[c.id], 0.1) ** 0.5, now.metric.loss(c.mean(c.done()) or 0.0)

    chosen, spent = list[Candidate](), 0.0
    for candidate in sorted(open_ones, key=priority):
        seconds, weight = costs[candidate.id], weights.get(candidate.id, 0.0)
        is_cheap = seconds <= CHEAP_SHARE * now.budget_seconds and is_promising(candidate, now.candidates, now.metric)
        is_worth_it = weight > 0 and weight >= WORTH * seconds / max(now.seconds_left, 0.1)
        if chosen and not is_cheap and not is_worth_it:
            continue
        if chosen and spent + seconds > SAFE_SHARE * now.seconds_left:
            continue
        spent += seconds
        chosen.append(candidate)
    return sorted(chosen, key=lambda c: -len(c.results))


def _deepen(now: Situation, candidate: Candidate) -> Move | None:
    """More folds of a candidate, several in one go where each is short."""
    missing, each = now.missing(candidate), now.seconds(candidate)
    if not missing or each > SAFE_SHARE * now.seconds_left:
        return None
    together = max(1, min(int(LONG_ENOUGH_SECONDS / max(each, 0.01)), -(-len(missing) // now.workers)))
    folds = tuple(missing[:together])
    seconds = max(_slot(now), 1.5 * each) * len(folds)
    return Move(candidate.family, folds, min(seconds, now.seconds_left), candidate=candidate)


def _stack(now: Situation) -> Move | None:
    """A stack layer over the members with the most weight, where there is time for it and for its guard."""
    if not now.may_stack or not now.may_ask() or any(c.family == STACK for c in now.candidates):
        return None
    weights = now.weights()
    whole = [c for c in now.candidates if c.state == "complete" and weights.get(c.id, 0.0) > 0]
    bases = sorted(whole, key=lambda c: -weights[c.id])[:MOST_STACKED]
    if len(bases) < 2:
        return None
    params = {**registry.get(STACK).defaults(now.shape), INPUTS: [c.id for c in bases]}
    layer = now.folds * now.cost.seconds(STACK, params, now.shape)
    if layer + layer / now.workers + guard_seconds(now, params) > STACK_SHARE * now.seconds_left:
        return None
    return Move(STACK, (0,), _slot(now), params=params)


def _guard(now: Situation) -> Move | None:
    """The guard of a stack layer that has all its folds."""
    for candidate in now.candidates:
        if candidate.family == STACK and candidate.state == "complete" and candidate.held is None:
            seconds = guard_seconds(now, candidate.params)
            if not candidate.running and seconds <= SAFE_SHARE * now.seconds_left:
                return Move(STACK, (), min(2 * seconds, now.seconds_left), candidate=candidate, guards=True)
    return None


def guard_seconds(now: Situation, params: Mapping[str, object]) -> float:
    """What all folds of the layer and of its bases take, one after the other."""
    bases = [c for c in now.candidates if c.id in bases_of(params)]
    return now.folds * (sum(now.seconds(c) for c in bases) + now.cost.seconds(STACK, dict(params), now.shape))


def _feed(now: Situation) -> Move | None:
    """The best configuration that was cut short, anew with all the time that is left, where that is much more."""
    if not now.may_ask() or now.seconds_left < FEED_SHARE * now.budget_seconds:
        return None
    fed = {c.family for c in now.candidates if c.fed}
    starved = [c for c in now.candidates if 0 in c.results and c.results[0].starved and c.family not in {*fed, STACK}]
    starved.sort(key=lambda c: now.metric.loss(c.mean([0]) or 0.0))
    for candidate in starved[: now.workers]:
        if now.seconds_left > FEED_FACTOR * candidate.results[0].fit_seconds:
            return Move(candidate.family, (0,), now.seconds_left, params=candidate.params, feeds=True)
    return None


def _explore(now: Situation) -> Move | None:
    """A new configuration of the family that is likely to get better soonest, if it ends in time, and if it can pay."""
    if not now.may_ask() or now.in_vain >= MOST_IN_VAIN:
        return None
    ranked = [f for f in rank_families(now.candidates, 1, now.metric) if now.is_alive(f) and f != STACK]
    ranked = ranked[:EXPLORED_FAMILIES]
    records = {family: _record(now, family) for family in ranked}
    best = min((record.losses[-1] for record in records.values() if record.losses), default=0.0)
    able = [f for f in ranked if _usual_seconds(now, f) <= SAFE_SHARE * now.seconds_left]
    family = min(able, key=lambda f: (expected_seconds(records[f], best), ranked.index(f)), default=None)
    return None if family is None else Move(family, (0,), min(_slot(now), now.seconds_left))


@dataclass(frozen=True)
class Record:
    """What trying a family brought: seconds spent, and each new best loss with the seconds spent until then."""

    spent: float
    losses: tuple[float, ...]
    at: tuple[float, ...]


def _record(now: Situation, family: str) -> Record:
    """The first folds of a family's configurations, in the order in which they were asked for."""
    spent, losses, at = 0.0, list[float](), list[float]()
    for candidate in sorted((c for c in now.candidates if c.family == family), key=lambda c: c.number):
        result = candidate.results.get(0)
        spent += now.seconds(candidate)
        loss = None if result is None or result.score is None else now.metric.loss(result.score)
        if loss is not None and (not losses or loss < losses[-1]):
            losses.append(loss)
            at.append(spent)
    return Record(spent, tuple(losses), tuple(at))


def expected_seconds(record: Record, best: float) -> float:
    """What a family's next improvement is expected to cost: FLAML's ECI (Wang et al. 2021, section 4.2).

    To get better than itself, as long as the last improvement took, or as it has been waited for since. To get better
    than the best family, the way still to go at the pace of its last improvement; twice as long where none is known.
    """
    if not record.losses:
        return float("inf")
    last, before = record.at[-1], record.at[-2] if len(record.at) > 1 else 0.0
    itself = max(record.spent - last, last - before)
    gap = record.losses[-1] - best
    if gap <= 0:
        return itself
    if len(record.losses) < 2:
        return 2 * itself
    gained = record.losses[-2] - record.losses[-1]
    return max(itself, gap * (record.spent - before) / gained)


def _usual_seconds(now: Situation, family: str) -> float:
    from statistics import median

    known = [r.fit_seconds for c in now.candidates if c.family == family for r in c.results.values()]
    return median(known) if known else 0.0
