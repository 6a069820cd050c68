"""Where configurations come from: the portfolio's first, then one Optuna study a family.

Each configuration and what came of it is a line of the study's folder (`TrialStore.log_proposal`), so a kill loses
none. Optuna itself keeps nothing on disk: its studies are made in memory from those lines when a configuration beyond
the portfolio is first wanted, which in a short search is never.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.learn.families import Shape, registry
from automl_assets.learn.score import Metric
from automl_assets.tuning.candidates import Candidate, State
from automl_assets.tuning.portfolio import Entry
from automl_assets.tuning.trial_store import TrialStore

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 6


class Proposals:
    """Asks Optuna's multivariate TPE (Bergstra et al. 2011; Falkner et al. 2018) and tells it what came of it."""

    def __init__(
        self,
        store: TrialStore,
        families: tuple[str, ...],
        shape: Shape,
        metric: Metric,
        *,
        folds: int,
        seed: int,
        portfolio: Sequence[Entry] = (),
    ):
        self._store = store
        self._families = families
        self._shape = shape
        self._metric = metric
        self._folds = folds
        self._seed = seed
        self._fixed = {
            family: [dict(e.params) for e in portfolio if e.family == family] or [registry.get(family).defaults(shape)]
            for family in families
        }
        self._asked: dict[str, list[dict[str, Any]]] = {family: [] for family in families}
        self._ended: dict[str, dict[str, Any]] = {}
        self._studies: dict[str, tuple[optuna.Study, list[optuna.Trial]]] = {}
        for line in store.proposals():
            if "params" in line and line["family"] in self._asked:
                self._asked[line["family"]].append(line["params"])
            elif "state" in line:
                self._ended[line["trial"]] = line

    def ask(self, family: str, params: "Mapping[str, Any] | None" = None) -> Candidate:
        """A new configuration: `params`, else the next of the portfolio, else one that Optuna proposes."""
        asked = self._asked[family]
        chosen = dict(params) if params is not None else None
        if chosen is None:
            chosen = next((dict(fixed) for fixed in self._fixed[family] if fixed not in asked), None)
        if chosen is None:
            study, trials = self._study(family)
            trials.append(study.ask())
            chosen = registry.get(family).space(trials[-1], self._shape)
        elif family in self._studies:
            self._replay(family, chosen)
        self._store.log_proposal({"family": family, "params": chosen})
        asked.append(chosen)
        return self._candidate(family, len(asked) - 1)

    def earlier(self) -> list[Candidate]:
        """The configurations of an earlier attempt with the folds that they finished; those it interrupted are open."""
        fits: dict[str, list[dict[str, Any]]] = {}
        for fit in self._store.fits():
            fits.setdefault(fit["trial"], []).append(fit)
        found: list[Candidate] = []
        for family, asked in self._asked.items():
            for number in range(len(asked)):
                candidate = self._candidate(family, number)
                self._remember(candidate, fits.get(candidate.id, []))
                found.append(candidate)
        return found

    def tell(self, candidate: Candidate) -> None:
        """Report a candidate that is complete, pruned or failed."""
        value = candidate.mean(candidate.done()) if candidate.results else None
        line = {"trial": candidate.id, "state": candidate.state, "value": value, "folds": len(candidate.results)}
        self._store.log_proposal(line)
        self._ended[candidate.id] = line
        if candidate.family in self._studies:
            study, trials = self._studies[candidate.family]
            _tell(study, trials[candidate.number], line)

    def _candidate(self, family: str, number: int) -> Candidate:
        candidate = Candidate(family, number, self._asked[family][number])
        candidate.results = {result.fold: result for result in self._store.results(candidate.id, self._folds)}
        return candidate

    def _remember(self, candidate: Candidate, fits: list[dict[str, Any]]) -> None:
        states: dict[str, State] = {"complete": "complete", "pruned": "pruned", "failed": "failed"}
        candidate.state = states.get(self._ended.get(candidate.id, {}).get("state", ""), "open")
        candidate.seconds = sum(fit["seconds"] for fit in fits)
        candidate.memory_mb = max((fit["peak_mb"] for fit in fits), default=0.0)
        failed = [fit for fit in fits if fit["kind"] != "ok"]
        if candidate.state == "open" and failed:
            candidate.state, candidate.reason = "failed", failed[-1]["message"] or failed[-1]["kind"]
            self.tell(candidate)

    def _study(self, family: str) -> "tuple[optuna.Study, list[optuna.Trial]]":
        """The family's study, which knows all that was tried so far."""
        import optuna

        if family not in self._studies:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            study = optuna.create_study(direction="maximize" if self._metric.higher_is_better else "minimize")
            asked = self._asked[family]
            position = self._families.index(family)
            study.sampler = _sampler((1_000_003 * self._seed + 101 * position + len(asked)) % 2**32)
            self._studies[family] = study, []
            for number, params in enumerate(asked):
                trial = self._replay(family, params)
                line = self._ended.get(Candidate(family, number, params).id)
                if line is not None:
                    _tell(study, trial, line)
        return self._studies[family]

    def _replay(self, family: str, params: Mapping[str, Any]) -> "optuna.Trial":
        """Make a configuration that was chosen elsewhere a trial of the family's study."""
        study, trials = self._studies[family]
        study.enqueue_trial(dict(params))
        trial = study.ask()
        registry.get(family).space(trial, self._shape)
        trials.append(trial)
        return trial


def _tell(study: "optuna.Study", trial: "optuna.Trial", line: Mapping[str, Any]) -> None:
    """What came of a configuration: its score, or that of the folds it had when it was stopped, or that it failed."""
    from optuna.trial import TrialState

    value = line["value"]
    state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(line["state"], TrialState.FAIL)
    if value is None:
        state = TrialState.FAIL
    if state == TrialState.PRUNED and value is not None:
        trial.report(value, line["folds"])
    study.tell(trial, value if state == TrialState.COMPLETE else None, state=state, skip_if_finished=True)


def _sampler(seed: int) -> "optuna.samplers.TPESampler":
    """Multivariate TPE, grouped by which parameters occur together; Optuna calls that experimental, and warns."""
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP_TRIALS
        )
