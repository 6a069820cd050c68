"""The tables that the portfolio's order is learnt from: none of the ten on which this engine is compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.machine import SHARED

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 8_000
RAREST = 10


@dataclass(frozen=True)
class LearningTable:
    """Where a table lies, what is predicted, and which columns would give it away."""

    name: str
    file: str
    target: str
    is_regression: bool = False
    drop: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> "tuple[pd.DataFrame, pd.Series]":
        """At most 8,000 rows, drawn with a fixed seed, of the features and of the target."""
        import pandas as pd

        table = pd.read_csv(SHARED / self.file, low_memory=False, **self.reading)
        if self.reading.get("header", 0) is None:
            table.columns = [f"c{i}" for i in range(table.shape[1])]
        table = table.dropna(subset=[self.target])
        if not self.is_regression:
            table = table[table[self.target].map(table[self.target].value_counts()) >= RAREST]
        if len(table) > MOST_ROWS:
            table = table.sample(MOST_ROWS, random_state=0)
        table = table.drop(columns=list(self.drop)).reset_index(drop=True)
        return table.drop(columns=[self.target]), table[self.target]


_NO_HEADER = {"header": None}
TABLES = (
    LearningTable("adult", "adult_census/census_income.csv.gz", "Income"),
    LearningTable("titanic", "titanic/train.csv", "Survived", drop=("PassengerId",)),
    LearningTable("credit", "credit_scoring/CreditScoring.csv", "Status"),
    LearningTable(
        "hotel", "hotel_bookings/hotel_bookings.csv.gz", "is_canceled",
        drop=("reservation_status", "reservation_status_date"),
    ),
    LearningTable("hr", "hr_attrition/HR_attrition_rate.csv.gz", "left"),
    LearningTable("pima", "pima_diabetes/pima-indians-diabetes.csv", "c8", reading=_NO_HEADER),
    LearningTable(
        "horse", "horse_colic/horse-colic.csv", "c23", drop=("c2",), reading={**_NO_HEADER, "na_values": "?"}
    ),
    LearningTable("oil", "oil_spill/oil-spill.csv", "c49", reading=_NO_HEADER),
    LearningTable("elec", "elec2/elec.csv.gz", "class"),
    LearningTable("teens", "sns_teens/snsdata.csv.gz", "gender"),
    LearningTable(
        "birds", "birdstrikes/birdstrikes.csv.gz", "Effect Amount of damage", drop=("Cost Total $",),
        reading={"keep_default_na": False},
    ),
    LearningTable("diamonds", "diamonds/diamonds.csv.gz", "price", is_regression=True),
    LearningTable("abalone", "abalone/abalone.csv", "c8", is_regression=True, reading=_NO_HEADER),
    LearningTable("insurance", "insurance/insurance.csv", "charges", is_regression=True),
    LearningTable("cars", "car_prices/data.csv.gz", "MSRP", is_regression=True),
    LearningTable("taxi", "taxi_fare/taxi-fare-train.csv.gz", "fare_amount", is_regression=True),
    LearningTable(
        "bike", "bike_sharing_hour/hour.csv.gz", "cnt", is_regression=True, drop=("casual", "registered", "instant")
    ),
    LearningTable(
        "flights", "nycflights/nycflights.csv.gz", "arr_delay", is_regression=True,
        drop=("arr_time", "air_time", "rownames"),
    ),
    LearningTable("bigmart", "bigmart/train_datamart.csv.gz", "Item_Outlet_Sales", is_regression=True),
    LearningTable("avocado", "avocado/avocado.csv.gz", "AveragePrice", is_regression=True, drop=("X",)),
    LearningTable("pm25", "beijing_pm25/pollution.csv.gz", "pm2.5", is_regression=True, drop=("No",)),
    LearningTable("letter", "baran_letter/clean.csv.gz", "lettr", drop=("Unnamed: 0",)),
)  # fmt: skip


def tables() -> Iterator[LearningTable]:
    """Those whose files lie beside the project; a line says which do not."""
    for one in TABLES:
        if (SHARED / one.file).exists():
            yield one
        else:
            print(f"skipped: {one.file} is not beside the project")
