"""One fit of this engine as a peer's is measured: a CSV pair in, one JSON object out.

python -m benchmarks.peers.ours --train A.csv --test B.csv --target T --task binary --budget 60 --seed 0
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.peers.scoring import METRICS, score
from benchmarks.peers.watch import watched

ONE_ROW_CALLS = 30
WARM_CALLS = 3


def main() -> None:
    """Fit, predict, and print what it cost; the outer process only measures memory."""
    options = _options()
    if options.child:
        Path(options.child).write_text(json.dumps(fit(options)))
        return
    arguments = [
        a for name, value in vars(options).items() if name != "child" and value for a in (f"--{name}", str(value))
    ]
    told = watched("benchmarks.peers.ours", arguments, threads=options.threads, hard_limit=4 * options.budget + 120)
    base = {"peer": "automl-assets", "preset": options.prefer, "task": options.task, "metric": METRICS[options.task]}
    print(
        json.dumps({**base, "budget": options.budget, "seed": options.seed, "train": Path(options.train).name, **told})
    )


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("train", "test", "target"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--task", required=True, choices=sorted(METRICS))
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prefer", default="balanced")
    parser.add_argument("--families", help="separated by commas; all by default")
    parser.add_argument("--predictions", help="save the test predictions (.npy) here")
    parser.add_argument("--board", help="save the leaderboard (.csv) here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def fit(options: Any) -> dict[str, Any]:
    """What `peer_run.py` tells of a peer, of this engine."""
    import numpy as np
    import pandas as pd

    train, test = pd.read_csv(options.train), pd.read_csv(options.test)
    features, target = test.drop(columns=[options.target]), test[options.target].to_numpy()
    begun = time.monotonic()
    from automl_assets import AutoMLClassifier, AutoMLRegressor

    kind = AutoMLRegressor if options.task == "regression" else AutoMLClassifier
    metric = METRICS[options.task]
    model = kind(
        time_budget_seconds=options.budget,
        metric=metric,
        seed=options.seed,
        n_jobs=options.threads,
        prefer=options.prefer,
        families=options.families.split(",") if options.families else "auto",
    )
    imported = time.monotonic() - begun
    begun = time.monotonic()
    model.fit(train.drop(columns=[options.target]), train[options.target])
    fitted = time.monotonic() - begun
    begun = time.monotonic()
    predicted = model.predict(features) if options.task == "regression" else model.predict_proba(features)
    seconds = time.monotonic() - begun
    if options.predictions:
        np.save(options.predictions, np.asarray(predicted, float))
    board = model.leaderboard()
    if options.board:
        board.to_csv(options.board, index=False)
        model.trials().to_csv(Path(options.board).with_suffix(".trials.csv"), index=False)
    used = board[(board["name"] != "ensemble") & (board["weight"] > 0)]
    return {
        **score(options.task, target, predicted, None if options.task == "regression" else model.classes_),
        "fit_seconds": round(fitted, 2),
        "predict_seconds": round(seconds, 3),
        "predict_row_ms": round(_row_ms(model, features, options.task), 2),
        "import_seconds": round(imported, 2),
        "n_train": len(train),
        "n_test": len(test),
        "n_features": features.shape[1],
        "n_models": int(len(board) - 1),
        "n_models_used": len(used),
        "best_model": ", ".join(
            f"{name} {weight:.2f}" for name, weight in zip(used["name"], used["weight"], strict=True)
        ),
        "disk_mb": round(float(model.size_mb_), 2),
    }


def _row_ms(model: Any, features: Any, task: str) -> float:
    """The median milliseconds of one row, from a data frame to a prediction."""
    import numpy as np

    call = model.predict if task == "regression" else model.predict_proba
    times: list[float] = []
    for number in range(min(ONE_ROW_CALLS, len(features))):
        row = features.iloc[[number]]
        begun = time.monotonic()
        call(row)
        times.append(1_000 * (time.monotonic() - begun))
    return float(np.median(times[WARM_CALLS:] or times))


if __name__ == "__main__":
    main()
