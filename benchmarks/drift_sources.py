"""Where the streams come from: the four that are reported, and others on which the rules may be developed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Clock = Callable[["pd.DataFrame"], "pd.Series"]
Label = Callable[["pd.DataFrame"], "pd.Series"]
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Stream:
    """A table whose rows have times. `leaves`: columns that tell the target, name the row or say only when."""

    name: str
    path: str
    metric: str
    clock: Clock
    label: Label
    leaves: tuple[str, ...]
    separator: str = ","
    missing: str | None = None

    def load(self, path: Path) -> "tuple[pd.DataFrame, np.ndarray, Sequence[datetime]]":
        """Features, target and times, in time order; rows without a target are left out."""
        import pandas as pd

        frame = pd.read_csv(path, sep=self.separator, na_values=self.missing, low_memory=False)
        times, labels = self.clock(frame), self.label(frame)
        kept = labels.notna() & times.notna()
        order = times.loc[kept].sort_values(kind="stable").index
        features = frame.drop(columns=list(self.leaves)).loc[order].reset_index(drop=True)
        for name in features.select_dtypes("bool").columns:
            features[name] = features[name].astype(str)
        kind = float if self.metric == "rmse" else int
        clock = pd.to_datetime(times.loc[order], utc=True)
        return features, labels.loc[order].to_numpy(kind), clock.dt.to_pydatetime().tolist()


def column(name: str) -> Label:
    """A column of numbers as it is."""
    return lambda frame: frame.loc[:, name]


def spread(first: str, last: str) -> Clock:
    """Rows that are in time order and say no time: evenly between two dates."""

    def clock(frame: "pd.DataFrame") -> "pd.Series":
        import pandas as pd

        return pd.Series(pd.date_range(first, last, periods=len(frame)), index=frame.index)

    return clock


def hours(year: str, month: str, day: str, hour: str | None = None) -> Clock:
    """Times in several columns; months may be numbers or names."""

    def clock(frame: "pd.DataFrame") -> "pd.Series":
        import pandas as pd

        months: Any = frame[month]
        if not pd.api.types.is_numeric_dtype(months):
            months = months.str[:3].str.lower().map({name: i for i, name in enumerate(MONTHS, start=1)})
        parts = {"year": frame[year], "month": months, "day": frame[day]}
        return pd.to_datetime(pd.DataFrame(parts | ({"hour": frame[hour]} if hour else {})))

    return clock


def stamps(name: str, hour: str | None = None) -> Clock:
    """Times in a column, the hours perhaps in another."""

    def clock(frame: "pd.DataFrame") -> "pd.Series":
        import pandas as pd

        at = pd.to_datetime(frame.loc[:, name])
        return at + frame.loc[:, hour] * pd.Timedelta(hours=1) if hour else at

    return clock


STREAMS = (
    Stream("elec2", "elec2/elec.csv.gz", "roc_auc", spread("1996-05-07", "1998-12-05"), column("class"), ("class",)),
    Stream(
        "bike_sharing_hour",
        "bike_sharing_hour/hour.csv.gz",
        "rmse",
        stamps("dteday", "hr"),
        column("cnt"),
        ("instant", "dteday", "casual", "registered", "cnt"),
    ),
    Stream(
        "hotel_bookings",
        "hotel_bookings/hotel_bookings.csv.gz",
        "roc_auc",
        hours("arrival_date_year", "arrival_date_month", "arrival_date_day_of_month"),
        column("is_canceled"),
        ("is_canceled", "reservation_status", "reservation_status_date"),
        missing="NULL",
    ),
    Stream(
        "bank_marketing",
        "bank_marketing/bank-additional-full.csv.gz",
        "roc_auc",
        spread("2008-05-01", "2010-11-30"),
        lambda frame: (frame["y"] == "yes").astype(int),
        ("y", "duration"),
        separator=";",
    ),
)

DEVELOPMENT = (
    Stream(
        "beijing_pm25",
        "beijing_pm25/pollution.csv.gz",
        "rmse",
        hours("year", "month", "day", "hour"),
        column("pm2.5"),
        ("No", "pm2.5", "day"),
    ),
    Stream(
        "beijing_bad_air",
        "beijing_pm25/pollution.csv.gz",
        "roc_auc",
        hours("year", "month", "day", "hour"),
        lambda frame: (frame["pm2.5"] > 100).astype(int),
        ("No", "pm2.5", "day"),
    ),
    Stream(
        "vic_elec",
        "vic_elec/vic_elec.csv.gz",
        "rmse",
        stamps("Time"),
        column("Demand"),
        ("rownames", "Time", "Date", "Demand"),
    ),
    Stream(
        "nycflights",
        "nycflights/nycflights.csv.gz",
        "roc_auc",
        hours("year", "month", "day", "hour"),
        lambda frame: (frame["arr_delay"] > 15).astype(int),
        ("rownames", "arr_delay", "arr_time", "air_time", "tailnum", "year", "dep_delay"),
    ),
    Stream(
        "avocado",
        "avocado/avocado.csv.gz",
        "rmse",
        stamps("Date"),
        column("AveragePrice"),
        ("X", "Date", "AveragePrice"),
    ),
)
