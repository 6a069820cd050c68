"""verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

import dagster as dg

from automl_assets.core.errors import UnknownNameError
from automl_assets.core.evidence import DriftReport, PerformanceReport, Verdict
from automl_assets.core.memory import usable_cores
from automl_assets.core.ports import Registry
from automl_assets.core.records import Action, ActionKind, ActionState, LandedBatch, VerdictRow, now
from automl_assets.core.steps import CheckSpec
from automl_assets.core.values import Champion, CheckOutcome, RawTable
from automl_assets.deciding.decide import Evidence, History, decide, policy_of
from automl_assets.deciding.findings import advice_of, dropped, finding_of, why_overtaken
from automl_assets.deciding.respond import respond, threshold_in_force, workers_for
from automl_assets.deciding.steps import VERDICT
from automl_assets.monitoring.assets import LOOKED_BACK, rival_scores
from automl_assets.pipeline import PipelineConfig
from automl_assets.registration.rivals import RivalDecision, decide_rivals
from automl_assets.registration.steps import CHAMPION
from resources.model_registry import CHALLENGER, ModelRegistry
from resources.model_registry import CHAMPION as CHAMPION_ALIAS
from resources.platform_database import PlatformDatabase, PlatformRecords
from resources.promotion import Promotions
from resources.records.actions import Actions
from resources.records.acts import Acts
from resources.records.batches import Batches
from resources.records.notices import Notices
from resources.records.quarantine import Quarantine
from resources.records.verdicts import Verdicts
from resources.steps import Steps, inputs_of, step_asset
from resources.table_store import WHOLE

MONITORING = "monitoring"
REPLAY_TAGS = ("dagster/backfill", "automl/backfill")
MOVES: tuple[ActionKind, ...] = ("rollback", "promote", "drop")
VERDICT_CHECKS = (CheckSpec("nothing_to_do", False, "Nothing follows from this batch."),)
ACTION_NUMBERS = {"none": 0, "alert": 1, "review": 2, "promote": 3, "retrain": 4, "quarantine": 5, "rollback": 6}


def build(config: PipelineConfig) -> list[dg.AssetsDefinition]:
    """The assets of this stage for one pipeline."""

    @step_asset(config, VERDICT, kinds={"python"}, checks=VERDICT_CHECKS, ins=inputs_of(config, *VERDICT.inputs))
    def verdict(
        context: dg.AssetExecutionContext,
        steps: Steps,
        registry: ModelRegistry,
        records: PlatformRecords,
        raw_table: RawTable,
        champion: Champion,
        drift_report: DriftReport,
        performance_report: PerformanceReport,
    ):
        """What follows from the batch and why: nothing, an alert, a retrain, quarantine, promotion or rollback."""
        deciding = Deciding(config, steps, registry, records.database(), context.instance, context.run)
        return steps.run(
            context,
            config,
            VERDICT,
            {
                "raw_table": raw_table,
                "champion": champion,
                "drift_report": drift_report,
                "performance_report": performance_report,
            },
            lambda: deciding.decide(raw_table, champion, drift_report, performance_report),
            _describe,
            checks=verdict_checks,
        )

    return [verdict]


def verdict_checks(verdict: Verdict) -> Sequence[CheckOutcome]:
    """One check: it passes when nothing follows."""
    passed = verdict.action == "none" or not verdict.acts
    told = f"{verdict.action}: {'; '.join(verdict.reasons[:6])}"
    return [CheckOutcome(name="nothing_to_do", passed=passed, blocking=False, description=told)]


@dataclass(frozen=True)
class Deciding:
    """Gathers what a decision looks at, writes down what follows, and does what must not wait."""

    config: PipelineConfig
    steps: Steps
    registry: Registry
    database: PlatformDatabase
    instance: dg.DagsterInstance
    run: dg.DagsterRun

    def decide(self, raw: RawTable, champion: Champion, drift: DriftReport, performance: PerformanceReport) -> Verdict:
        """The verdict about a batch, written down together with what follows; the known one for known evidence."""
        verdicts = Verdicts(self.database)
        finding = finding_of(self.config.name, raw, champion, drift, performance)
        known = verdicts.find(self.config.name, finding)
        if known is None:
            past = verdicts.looked_back_at(self.config.name, champion.version, most=LOOKED_BACK)
            sequence = self._sequence(raw, past)
            rival = self._rival(sequence, champion, performance, past)
            evidence = Evidence(
                pipeline=self.config.name,
                batch=raw.batch,
                sequence=sequence,
                champion=champion.version,
                finding=finding,
                drift=drift,
                performance=performance,
                rival=advice_of(rival),
                replay=self._is_replay(),
                accepted=self._is_accepted(raw),
            )
            known = self._settle(evidence, rival, raw, past)
        if not self._is_replay():
            self._withdraw(known.verdict)
            self._carry_out()
        return known.verdict

    def _settle(
        self, evidence: Evidence, rival: RivalDecision, raw: RawTable, past: Sequence[VerdictRow]
    ) -> VerdictRow:
        """Decide, and write down the verdict with everything that follows.

        The notice goes first: it is known by its key, so an attempt that is killed in between tells nobody twice.
        """
        adjusted = Actions(self.database).of(self.config.name, kinds=["adjust"], most=1)
        policy, history = policy_of(self.config.monitoring), self._history(past)
        share = threshold_in_force(policy.importance_share, adjusted)
        verdict = decide(evidence, replace(policy, importance_share=share), history, now())
        advice = evidence.rival
        response = respond(
            verdict,
            digest=raw.source_digest,
            rival=advice.version if advice is not None and advice.reason in verdict.reasons else "",
            workers=self._workers(evidence) if verdict.action == "retrain" else None,
        )
        for notice in response.notices:
            Notices(self.database).add(notice)
        row = VerdictRow(verdict, now(), self.run.run_id)
        follows = (*response.actions, *dropped(evidence, rival, history.verdicts))
        return Verdicts(self.database).record(row, follows, response.quarantined)

    def _sequence(self, raw: RawTable, past: Sequence[VerdictRow]) -> int:
        """The batch's place: a window's by its date, a file's by its arrival, a whole table's by when it is judged."""
        if raw.batch == WHOLE:
            return 1 + max((row.verdict.sequence for row in past), default=0)
        if self.config.batches.is_windows:
            return date.fromisoformat(raw.batch).toordinal()
        landed = Batches(self.database)
        known = landed.known(self.config.name).get(raw.batch)
        if known is None:
            known = landed.land([LandedBatch(self.config.name, raw.batch, raw.source_digest)])[0]
        return known.sequence

    def _history(self, past: Sequence[VerdictRow]) -> History:
        actions = Actions(self.database)
        times = actions.requested_since("retrain", now() - timedelta(days=1)).get(self.config.name, [])
        going = [a for a in actions.unfinished("retrain") if a.pipeline == self.config.name and a.state == "requested"]
        return History([row.verdict for row in past], times, in_flight=bool(going))

    def _rival(
        self, sequence: int, champion: Champion, performance: PerformanceReport, past: Sequence[VerdictRow]
    ) -> RivalDecision:
        """What this batch's scores of other versions, together with those of the other batches, ask for."""
        acts = Acts(self.database).of(self.config.name, most=1)
        others = [row for row in past if row.verdict.sequence != sequence]
        scores = [*rival_scores(others, champion.version, acts), *performance.rivals]
        mine = {(score.version, score.role) for score in performance.rivals}
        return decide_rivals(
            [score for score in scores if (score.version, score.role) in mine],
            shadow_batches=self.config.registration.shadow_batches,
            metric=performance.metric,
        )

    def _is_replay(self) -> bool:
        return any(tag in self.run.tags for tag in REPLAY_TAGS)

    def _is_accepted(self, raw: RawTable) -> bool:
        answers = Quarantine(self.database).of(self.config.name)
        return any(a.answer == "accepted" and (a.batch, a.digest) == (raw.batch, raw.source_digest) for a in answers)

    def _workers(self, evidence: Evidence) -> int | None:
        """All cores for a retrain whose window has outgrown the champion's."""
        batches = self.steps.store.batches(self.config.name, "raw_table")
        stored = [self.steps.store.latest(self.config.name, "raw_table", unquote(batch)) for batch in batches]
        rows = sum(raw.table.rows for raw in stored if isinstance(raw, RawTable))
        return workers_for(rows, evidence.drift.reference_rows, usable_cores())

    def _withdraw(self, verdict: Verdict) -> None:
        """Cancel what monitoring asked for, still waits, and is moot by now; what a person asked for stays."""
        actions, verdicts = Actions(self.database), Verdicts(self.database)
        for action in (*actions.unfinished("retrain"), *actions.unfinished("review")):
            if action.pipeline != self.config.name or action.actor != MONITORING or action.state != "pending":
                continue
            asked = verdicts.find(action.pipeline, action.finding)
            why = why_overtaken(action, asked.verdict if asked is not None else None, verdict)
            if why:
                actions.finish(action, "cancelled", why)

    def _carry_out(self) -> None:
        """What moves an alias is done by the run that decided it; where that was killed, by the next one."""
        actions = Actions(self.database)
        for action in (action for kind in MOVES for action in actions.unfinished(kind)):
            if action.pipeline == self.config.name:
                state, outcome = self._drop(action) if action.kind == "drop" else self._move(action)
                actions.finish(action, state, outcome)

    def _move(self, action: Action) -> tuple[ActionState, str]:
        """Make the version that a promotion or rollback names the champion; how that ended.

        A champion that was moved meanwhile, by a person, stays. One that a killed attempt has moved is not moved again.
        """
        promotions = Promotions(self.registry, Acts(self.database), self.steps.store, self.instance, CHAMPION)
        version = str(action.payload["version"])
        try:
            target = self.registry.version(self.config.name, version)
        except UnknownNameError:
            return "failed", f"version {version} is gone"
        current = self.registry.aliased(self.config.name, CHAMPION_ALIAS)
        scored = current.version if current is not None else None
        if scored not in (version, action.payload.get("champion")):
            return "cancelled", f"version {scored} is the champion now"
        if scored != version or promotions.unfinished(self.config.name, action.kind) is not None:
            promotions.move(self.config, target, what=action.kind, actor=MONITORING, reason=action.reason)
        return "done", f"version {version} is the champion"

    def _drop(self, action: Action) -> tuple[ActionState, str]:
        """End the shadow of the challenger that did no better; another one that came meanwhile stays."""
        version = str(action.payload["version"])
        challenger = self.registry.aliased(self.config.name, CHALLENGER)
        if challenger is not None and challenger.version == version:
            self.registry.remove_alias(self.config.name, CHALLENGER)
        return "done", f"version {version} is no challenger any more"


def _describe(verdict: Verdict) -> dict[str, Any]:
    reasons = "\n".join(f"- {reason}" for reason in verdict.reasons)
    causes = [f"| {c.feature} | {c.aspect} | {c.weight:.0%} | {c.reason} |" for c in verdict.causes]
    table = "\n".join(["| cause | what | weight | |", "|-|-|-|-|", *causes])
    return {
        "action": verdict.action,
        "action_number": ACTION_NUMBERS[verdict.action],
        "acts": verdict.acts,
        "reasons": dg.MetadataValue.md(reasons),
        **({"causes": dg.MetadataValue.md(table)} if causes else {}),
        **({"held": verdict.held} if verdict.held else {}),
        "alarmed_features": len(verdict.alarmed),
        "sequence": verdict.sequence,
        "champion": verdict.champion,
    }
