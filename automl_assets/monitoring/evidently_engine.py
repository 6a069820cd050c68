"""Evidently's values on samples of both sides, and its HTML page. Its import takes seconds: only a child pays."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl_assets.learn.split import label_texts, numbers_of
from automl_assets.monitoring.drift import tests_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa


class Comparison:
    """Two samples in Evidently's terms. The page shows all features but the private ones."""

    def __init__(self, reference: "pa.Table", current: "pa.Table", roles: Mapping[str, str], private: Sequence[str]):
        os.environ["DO_NOT_TRACK"] = "1"
        from evidently import DataDefinition, Dataset

        self._roles = roles
        self._private = set(private)
        numeric = [name for name in roles if roles[name] == "numeric"]
        definition = DataDefinition(
            numerical_columns=numeric, categorical_columns=[name for name in roles if name not in numeric]
        )
        self._before, self._now = (
            Dataset.from_pandas(_frame(table, roles), data_definition=definition) for table in (reference, current)
        )
        self._public = self._report([name for name in roles if name not in self._private])

    def _report(self, names: Sequence[str]) -> Any:
        from evidently import Report
        from evidently.metrics import ValueDrift

        metrics = [
            ValueDrift(column=name, method=test.evidently_method)
            for name in names
            for test in tests_for(self._roles[name]).values()
            if test.evidently_method
        ]
        return Report(metrics).run(current_data=self._now, reference_data=self._before) if metrics else None

    def values(self) -> dict[str, dict[str, float]]:
        """Evidently's value by feature and method.

        Where both sides hold one and the same category chi-squared has nothing to tell apart; its p-value is 1.
        """
        found: dict[str, dict[str, float]] = {}
        for report in (self._public, self._report(sorted(self._private & set(self._roles)))):
            for metric in report.dict()["metrics"] if report is not None else []:
                config, value = metric["config"], float(metric["value"])
                nothing = config["method"] == "chisquare" and value != value
                found.setdefault(config["column"], {})[config["method"]] = 1.0 if nothing else value
        return found

    def write_page(self, path: str) -> bool:
        """Write the page of the features that are not private; false where all are."""
        if self._public is None:
            return False
        self._public.save_html(path)
        return True


def adopt(rows: list[dict[str, Any]], roles: Mapping[str, str], values: Mapping[str, Mapping[str, float]]) -> None:
    """Put Evidently's values in the place of the own ones, in rows of evidence about the same samples.

    Its chi-squared p-value goes to the statistics: it takes the reference as the truth, which decides nothing here.
    """
    for row in rows:
        if row["aspect"] != "distribution" or row["effect"] is None:
            continue
        statistics, found = row["statistics"], values.get(row["name"], {})
        for label, test in tests_for(roles[row["name"]]).items():
            value = found.get(test.evidently_method or "")
            if value is None or value != value:
                continue
            if test.decides:
                row["p_value"] = value
            elif label == "psi":
                row["psi"] = max(0.0, value - statistics.get("psi_bias", 0.0))
                statistics |= {"psi": row["psi"], "psi_raw": value}
            else:
                statistics[f"{label}_p" if test.evidently_gives == "p_value" else label] = value


def _frame(table: "pa.Table", roles: Mapping[str, str]) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    def values(name: str) -> "np.ndarray":
        if roles[name] != "numeric":
            return label_texts(table.column(name))
        numbers = numbers_of(table.column(name))
        return np.where(np.isfinite(numbers), numbers, np.nan)

    return pd.DataFrame({name: values(name) for name in roles})
