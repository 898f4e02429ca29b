"""Runs whose events look like ours and cost nothing, and ticks of the sensor after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import msgspec

from atlas_dagster.assets.openlineage_sensor import OpenLineageCursor
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.lineage.backend import Backend
from atlas_dagster_tests.lineage.spec import Json


@dataclass
class Teller:
    """The sensor `openlineage`, the backend that it tells, and runs that it tells of."""

    daemon: Daemon
    backend: Backend

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.daemon.instance

    @property
    def cursor(self) -> OpenLineageCursor:
        assert self.daemon.cursor
        return msgspec.json.decode(self.daemon.cursor, type=OpenLineageCursor)

    def tick(self) -> str | None:
        return self.daemon.tick().skip_message

    def build(self, *keys: str, does: Callable[[], Any] = lambda: None) -> str:
        """A run that builds assets such as `chart/shop/users`; returns its id."""
        built = self._assets(keys, does)
        result = dg.materialize([built], instance=self.instance, raise_on_error=False)
        return result.run_id

    def job(self, *keys: str) -> dg.JobDefinition:
        """The job `build`, which would build the assets."""
        built = self._assets(keys, lambda: None)
        job = dg.define_asset_job("build", selection=[built])
        return dg.Definitions(assets=[built], jobs=[job]).resolve_job_def("build")

    @staticmethod
    def _assets(keys: Sequence[str], does: Callable[[], Any]) -> dg.AssetsDefinition:
        @dg.multi_asset(
            specs=[dg.AssetSpec(key.split("/"), skippable=True) for key in keys], can_subset=True
        )
        def built() -> Any:
            does()
            for key in keys:
                yield dg.MaterializeResult(asset_key=key.split("/"))

        return built

    def events(self, job: str) -> list[Json]:
        return [event for event in self.backend.events if event["job"]["name"] == job]
