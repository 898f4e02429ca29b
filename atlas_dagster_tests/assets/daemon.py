"""What the daemon does with a tick of a sensor: report its events, start its runs, save it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from atlas_dagster.defs.code_location import build_code_location


@dataclass
class Daemon:
    """Ticks of one sensor; runs that it requests are queued, once a run key, and not run.

    ``refuses`` lists the days whose runs were requested again under a key that is taken.
    """

    instance: dg.DagsterInstance
    sensor: str
    cursor: str | None = None
    requested: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def evaluate(self) -> SensorExecutionData:
        """Evaluate a tick, of which nothing is saved yet."""
        definitions = build_code_location()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=definitions
        )
        return definitions.resolve_sensor_def(self.sensor).evaluate_tick(context)

    def report(self, *events: Any) -> None:
        for event in events:
            self.instance.report_runless_asset_event(event)

    def start(self, data: SensorExecutionData) -> None:
        """Queue the runs that a tick requests, unless one has the key."""
        definitions = build_code_location()
        for request in data.run_requests or []:
            key = str(request.run_key)
            if key in self.requested:
                self.refused.append(key)
                continue
            self.requested.append(key)
            self.instance.create_run_for_job(
                definitions.resolve_job_def(str(request.job_name)),
                tags={
                    **request.tags,
                    "dagster/run_key": key,
                    "dagster/partition": str(request.partition_key),
                },
            )

    def tick(self) -> SensorExecutionData:
        """A tick from its beginning to its end."""
        data = self.evaluate()
        self.report(*data.asset_events)
        self.start(data)
        self.cursor = data.cursor
        return data

    def tick_until_quiet(self) -> None:
        """Ticks until one tells nothing; three are enough for what happened before the first."""
        for _ in range(3):
            if (data := self.tick()).skip_message == "nothing new":
                return
        raise AssertionError(data.skip_message)
