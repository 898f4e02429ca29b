"""Events that tests send."""

from __future__ import annotations

from typing import Any

from atlas_dagster.lineage.model import Engine, Event, Job, State
from atlas_dagster.lineage.naming import run_id

ENGINE = Engine("1.13.27", "0.1.0")
AT = 1_780_000_000.0


def event(state: State = State.START, name: str = "shop.users.chart", **more: Any) -> Event:
    job = Job("atlas", name, "ASSET", "DAGSTER")
    return Event(state, AT, run_id("run", name), job, ENGINE, **more)
