"""Which parameters of a family its score depends on, in the configurations that a search tried."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.core.values import Study, Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST_TRIALS = 10
LOG_RATIO = 20.0


def parameter_importances(study: Study) -> dict[str, dict[str, float]]:
    """Each family's parameters with their share of the variance of its score, largest first; shares add up to 1.

    By functional ANOVA over a forest (Hutter, Hoos & Leyton-Brown 2014). A family of which fewer than ten
    configurations were scored, or whose scores are all equal, has none.
    """
    by_family: dict[str, list[Trial]] = {}
    for trial in study.trials:
        if trial.score is not None:
            by_family.setdefault(trial.family, []).append(trial)
    found = {family: _importances(trials) for family, trials in by_family.items() if len(trials) >= LEAST_TRIALS}
    return {family: shares for family, shares in found.items() if shares}


def _importances(trials: Sequence[Trial]) -> dict[str, float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    shared = set.intersection(*(set(trial.params) for trial in trials))
    values = {name: [trial.params[name] for trial in trials] for name in sorted(shared)}
    ranges = {name: found for name, seen in values.items() if (found := _range(seen)) is not None}
    if not ranges or len({trial.score for trial in trials}) < 2:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    for trial in trials:
        params = {name: trial.params[name] for name in ranges}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=ranges, value=trial.score))
    shares: Mapping[str, float] = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: round(share, 4) for name, share in shares.items()}


def _range(values: Sequence[Any]) -> "BaseDistribution | None":
    """Where a parameter was tried; None where it never differed."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distinct = list(dict.fromkeys(values))
    if len(distinct) < 2:
        return None
    if any(isinstance(value, bool | str) or value is None for value in distinct):
        return CategoricalDistribution(distinct)
    low, high = min(distinct), max(distinct)
    is_log = low > 0 and high / low >= LOG_RATIO
    if all(isinstance(value, int) for value in distinct):
        return IntDistribution(low, high, log=is_log)
    return FloatDistribution(float(low), float(high), log=is_log)
