"""AutoML without Dagster: scikit-learn estimators over the same functions that the assets run.

>>> model = AutoML(time_budget_seconds=60).fit(X, y)  # doctest: +SKIP
>>> model.predict_proba(X)  # doctest: +SKIP
"""

from automl_assets.estimator.data import GROUP, TARGET, WEIGHT
from automl_assets.estimator.estimators import AutoML, AutoMLClassifier, AutoMLRegressor

__all__ = ["GROUP", "TARGET", "WEIGHT", "AutoML", "AutoMLClassifier", "AutoMLRegressor"]
