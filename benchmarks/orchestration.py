"""What Dagster, the lock, the handles and the command line add to the same functions with the same MLflow logging.

Both sides start a fresh process with a fresh home and the same budget: `automl run`, and a program that calls the
functions behind the assets one after the other.
"""

import sys
import tempfile
import uuid
from pathlib import Path
from statistics import median

from benchmarks.command import automl, run
from benchmarks.machine import header, table

PIPELINE = "doctor_visits"
BUDGET_SECONDS = 20
REPEATS = 3
ALLOWED_SHARE, ALLOWED_SECONDS = 0.10, 5.0


def main() -> None:
    """Print the medians of three pairs, run in turn."""
    if sys.argv[1:] == ["plain"]:
        call_plain_functions()
        return
    header(f"Orchestration's share, {PIPELINE}, {BUDGET_SECONDS}-s budget", "orchestration")
    override = f"tuning.time_budget_seconds={BUDGET_SECONDS}"
    rows: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            assets = automl(Path(one), "run", PIPELINE, "--set", override, "--json", AUTOML_HOME=one)
            plain = run([sys.executable, "-m", "benchmarks.orchestration", "plain"], Path.cwd(), AUTOML_HOME=other)
            rows.append((assets.seconds, plain.seconds))
    assets_s, plain_s = (median(row[side] for row in rows) for side in (0, 1))
    share = median(a - p for a, p in rows)
    allowed = max(ALLOWED_SHARE * plain_s, ALLOWED_SECONDS)
    table(
        ["automl run s", "plain functions s", "difference s (median of pairs)", "allowed s"],
        [[f"{assets_s:.1f}", f"{plain_s:.1f}", f"{share:.1f}", f"{allowed:.1f}"]],
    )


def call_plain_functions() -> None:
    """The functions behind the assets, one after the other, in this process."""
    from automl_assets.cleaning import assets as cleaning
    from automl_assets.core.fingerprint import digest_of
    from automl_assets.definitions import resources_of
    from automl_assets.evaluation import assets as evaluation
    from automl_assets.ingestion import assets as ingestion
    from automl_assets.monitoring import assets as monitoring
    from automl_assets.pipeline_files import load_named
    from automl_assets.problems import assets as problems
    from automl_assets.quality.report import assess
    from automl_assets.registration import assets as registration
    from automl_assets.serving import assets as serving
    from automl_assets.training.assets import model_facts
    from automl_assets.training.train import train_model
    from automl_assets.tuning import assets as tuning
    from automl_assets.tuning.trial_store import TrialStore
    from resources.settings import Settings

    settings = Settings.from_environment()
    settings.prepare_home()
    config = load_named(PIPELINE, settings.pipelines, [f"tuning.time_budget_seconds={BUDGET_SECONDS}"])
    resources = resources_of(settings)
    steps, fits, registry, records = (resources[name] for name in ("steps", "fits", "registry", "records"))
    store = steps.store
    fits.runner()
    raw = ingestion.ingest(config, "all", store)
    assess(store.open([raw.table]), read_findings=raw.findings)
    window = ingestion.window_of({"all": raw}, config)
    problem = problems.understand(config, window, store)
    plan = cleaning._plan(config, steps, window, problem)
    clean = cleaning.clean_rows(config.name, steps, window, problem, plan)
    study = tuning._search(config, steps, fits, resources["gpu"], clean, {})
    model = train_model(
        TrialStore(store.study_folder(study.key)),
        study,
        model_facts(config.name, clean),
        fits.runner(),
        root=store.models_root,
        folder=config.name,
        seconds=BUDGET_SECONDS - study.seconds,
        memory_mb=steps.memory.fit_mb(),
    )
    judged = evaluation._judge(config, steps, fits, clean, study, model)
    candidate = registration.Candidate(
        pipeline=config.name,
        window=window,
        problem=problem,
        plan=plan,
        model=model,
        evaluation=judged,
        folder=store.models_root / model.path,
        figures=tuple(store.root / figure for figure in judged.figures),
        remembered=store.root / judged.remembered if judged.remembered else None,
    )
    run_id = str(uuid.uuid4())
    registration._register(run_id, config, candidate, steps, fits, registry, records)
    champion = registration.current_champion(config.name, registry)
    predictions = serving._predict(config, steps, fits, registry, raw, champion)
    watching = monitoring.Watching(config, steps, fits, registry, records)
    watching.compare(raw, champion)
    watching.judge(raw, champion, predictions)
    print(digest_of({"model": model.digest}))


if __name__ == "__main__":
    main()
