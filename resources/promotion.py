"""Moving a champion: by the command line, and by what monitoring decided. It can be killed anywhere and done again."""

from dataclasses import dataclass

import dagster as dg

from automl_assets.core.ports import Registry, VersionInfo
from automl_assets.core.records import Act, now
from automl_assets.core.steps import SectionedConfig, Step
from automl_assets.core.values import Champion
from resources.model_registry import CHALLENGER, CHAMPION
from resources.records.acts import Acts
from resources.steps import asset_key
from resources.table_store import WHOLE, TableStore


@dataclass(frozen=True)
class Promotions:
    """What a move touches. Whoever moves a champion holds the pipeline's lock.

    step: the asset `champion` as data; its fingerprint goes with the stored value.
    """

    registry: Registry
    acts: Acts
    store: TableStore
    instance: dg.DagsterInstance
    step: Step

    def move(self, config: SectionedConfig, target: VersionInfo, *, what: str, actor: str, reason: str) -> Act:
        """Point the alias at `target`, write down who did it and why, and tell Dagster, so that predictions get stale.

        The act comes first and Dagster last: after a kill in between, `unfinished` finds the act, and the same move
        goes on without a second record. The challenger's shadow ends, since it was held against another champion.

        Args:
            what: ``promote`` or ``rollback``.
        """
        before = self.registry.aliased(target.name, CHAMPION)
        earlier = before.version if before is not None else None
        act = self.unfinished(target.name, what)
        if act is None or act.after != target.version or earlier not in (act.before, act.after):
            act = Act(target.name, what, actor, reason, earlier, target.version, now())
            self.acts.record(act)
        self.registry.remove_alias(target.name, CHALLENGER)
        self.registry.set_alias(target.name, CHAMPION, target.version)
        self._tell(config, target, act)
        return act

    def unfinished(self, pipeline: str, what: str) -> Act | None:
        """The newest act, if it is of this kind and a kill kept its end from Dagster and the store."""
        newest = next(iter(self.acts.of(pipeline, most=1)), None)
        if newest is None or newest.what != what:
            return None
        known = self.store.latest(pipeline, self.step.name)
        finished = isinstance(known, Champion) and known.version == newest.after
        return None if finished else newest

    def drop_challenger(self, pipeline: str) -> str | None:
        """End the challenger's shadow without a promotion; the version that it was, if any."""
        challenger = self.registry.aliased(pipeline, CHALLENGER)
        if challenger is not None:
            self.registry.remove_alias(pipeline, CHALLENGER)
        return challenger.version if challenger is not None else None

    def _tell(self, config: SectionedConfig, target: VersionInfo, act: Act) -> None:
        champion = Champion(
            name=target.name,
            version=target.version,
            run_id=target.run_id,
            digest=target.tags.get("model_sha256", ""),
        )
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key(config, self.step.name),
                description=f"{act.what} by {act.actor}: {act.reason}",
                metadata={
                    "version": champion.version,
                    "before": act.before or "",
                    "actor": act.actor,
                    "reason": act.reason,
                },
                tags={"dagster/data_version": champion.data_version()},
            )
        )
        fingerprint = self.step.fingerprint(config, {"alias": champion.version})
        self.store.save(target.name, self.step.name, WHOLE, champion, fingerprint)
