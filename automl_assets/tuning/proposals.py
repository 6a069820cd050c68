"""Where configurations come from: one Optuna study a family, in a journal that a kill can't spoil."""

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
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._store = store
        self._shape = shape
        self._folds = folds
        self._studies: dict[str, optuna.Study] = {}
        storage = store.optuna_storage()
        for position, family in enumerate(families):
            study = optuna.create_study(
                storage=storage,
                study_name=family,
                load_if_exists=True,
                direction="maximize" if metric.higher_is_better else "minimize",
            )
            study.sampler = _sampler((1_000_003 * seed + 101 * position + len(study.trials)) % 2**32)
            if not study.trials:
                for params in [e.params for e in portfolio if e.family == family] or [
                    registry.get(family).defaults(shape)
                ]:
                    study.enqueue_trial(params)
            self._studies[family] = study

    def ask(self, family: str, params: "Mapping[str, Any] | None" = None) -> Candidate:
        """A new configuration: `params`, else the next of the portfolio, else one that Optuna proposes."""
        study = self._studies[family]
        if params is not None and not any(t.state.name == "WAITING" for t in study.get_trials(deepcopy=False)):
            study.enqueue_trial(dict(params))
        return self._candidate(family, study.ask())

    def earlier(self) -> list[Candidate]:
        """The configurations of an earlier attempt with the folds that they finished; those it interrupted are open."""
        import optuna

        fits: dict[str, list[dict[str, Any]]] = {}
        for fit in self._store.fits():
            fits.setdefault(fit["trial"], []).append(fit)
        found: list[Candidate] = []
        for family, study in self._studies.items():
            for frozen in study.trials:
                if frozen.state == optuna.trial.TrialState.WAITING:
                    continue
                candidate = self._candidate(family, optuna.Trial(study, frozen._trial_id))
                self._remember(candidate, frozen.state.name, fits.get(candidate.id, []))
                found.append(candidate)
        return found

    def tell(self, candidate: Candidate) -> None:
        """Report a candidate that is complete, pruned or failed."""
        from optuna.trial import TrialState

        value = candidate.mean(candidate.done()) if candidate.results else None
        state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}.get(candidate.state, TrialState.FAIL)
        if value is None:
            state = TrialState.FAIL
        if state == TrialState.PRUNED and value is not None:
            candidate.handle.report(value, len(candidate.results))
        self._studies[candidate.family].tell(
            candidate.handle, value if state == TrialState.COMPLETE else None, state=state, skip_if_finished=True
        )

    def _candidate(self, family: str, handle: "optuna.Trial") -> Candidate:
        params = registry.get(family).space(handle, self._shape)
        candidate = Candidate(family, handle.number, params, handle)
        candidate.results = {result.fold: result for result in self._store.results(candidate.id, self._folds)}
        return candidate

    def _remember(self, candidate: Candidate, optuna_state: str, fits: list[dict[str, Any]]) -> None:
        states: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        candidate.state = states.get(optuna_state, "open")
        candidate.seconds = sum(fit["seconds"] for fit in fits)
        candidate.memory_mb = max((fit["peak_mb"] for fit in fits), default=0.0)
        failed = [fit for fit in fits if fit["kind"] != "ok"]
        if candidate.state == "open" and failed:
            candidate.state, candidate.reason = "failed", failed[-1]["message"] or failed[-1]["kind"]
            self.tell(candidate)


def _sampler(seed: int) -> "optuna.samplers.TPESampler":
    """Multivariate TPE, grouped by which parameters occur together; Optuna calls that experimental, and warns."""
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=STARTUP_TRIALS
        )
