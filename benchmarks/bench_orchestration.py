"""A warm run of `<connection>_layers` over many small streams, as `dagster job execute` runs it.

Before each run every stream has got 100 new record versions of the run's day. The split is read
from Dagster's event log: what passes before the run's first event is start-up, and so on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from _landed import RECORDS, land, prepare_landing
from _measure import (
    Cost,
    Server,
    adopt_orphans,
    at_most,
    compile_bytecode,
    machine,
    measured,
    median_cost,
    print_table,
    reap_orphans,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _project import project_environment, write_project
from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, migrate

WALL_TARGET = 0.5  # seconds a stream
CONNECTION = "many"

# The same definitions under the executor that gives each step a process of its own, forked from one
# that has imported all that a step needs.
PROCESSES = """
import dagster as dg

from atlas_dagster.defs.connections import define_connections
from atlas_dagster.defs.project import read_project

PRELOAD = [
    "atlas_dagster.definitions",
    "atlas_dagster.dagster_storage",
    "alembic.config",
    "dagster._core.execution.api",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.fs_io_manager",
]

def define():
    project = read_project()
    everything = define_connections(project, list(project.connections))
    return dg.Definitions(
        assets=everything.assets,
        asset_checks=everything.asset_checks,
        jobs=everything.jobs,
        resources=everything.resources,
        executor=dg.multiprocess_executor.configured(
            {
                "max_concurrent": 2,
                "start_method": {"forkserver": {"preload_modules": PRELOAD}},
            }
        ),
    )


defs = define()
"""


@dataclass(frozen=True)
class Run:
    """A run's cost, and seconds on the clock by what Dagster was doing."""

    cost: Cost
    split: Mapping[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 streams, one round")
    options = parser.parse_args()
    compile_bytecode()
    streams, rounds = (4, 1) if options.quick else (20, 3)
    with throwaway_directory() as directory:
        settings = write_project(directory, {CONNECTION: streams})
        (directory / "processes.py").write_text(PROCESSES)
        with throwaway_server(settings.data_dir) as server, connect(server.url) as warehouse:
            runs = measure(directory, settings, server, warehouse, rounds)
    report(runs, streams)


def measure(
    directory: Path, settings: Settings, server: Server, warehouse: PgConnection, rounds: int
) -> dict[str, list[Run]]:
    adopt_orphans()  # not before the server runs: it is to be no child of ours
    migrate(warehouse)
    streams = prepare_landing(warehouse, settings)
    executors = {
        "in process": ["-m", "atlas_dagster.definitions"],
        "forkserver": ["-f", "processes.py"],
    }
    runs: dict[str, list[Run]] = {executor: [] for executor in executors}
    landed = 0
    for number in range(rounds + 1):
        tell(f"round {number}" if number else "first runs, not counted: tables, bytecode")
        for executor, target in executors.items():
            if number > 1 and executor == "forkserver":
                continue  # one run shows it, and takes its time
            land(warehouse, streams)
            landed += RECORDS
            run = run_layers(directory, server, warehouse, target)
            require_versions(warehouse, streams, landed)
            if number:
                runs[executor].append(run)
    return runs


def run_layers(
    directory: Path, server: Server, warehouse: PgConnection, target: Sequence[str]
) -> Run:
    day = datetime.now(timezone.utc).date().isoformat()
    command = [
        *(sys.executable, "-m", "dagster", "job", "execute", *target),
        *("-j", f"{CONNECTION}_layers", "--tags", json.dumps({"dagster/partition": day})),
    ]

    def execute() -> float:
        done = subprocess.run(
            command,
            cwd=directory,
            env=project_environment(directory),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"the run failed: {done.stderr[-2000:]}")
        ended = time.time()
        reap_orphans()  # the forkserver
        return ended

    began = time.time()
    cost, ended = measured(execute, server)
    return Run(cost, split_of(warehouse, began, ended))


def split_of(warehouse: PgConnection, began: float, ended: float) -> dict[str, float]:
    """Where the newest run's time went, by its events."""
    row = warehouse.execute(
        """
        with event as (
            select
                dagster_event_type as type,
                step_key,
                extract(epoch from timestamp at time zone 'UTC')::float as at
            from event_logs
            where run_id = (select run_id from runs order by id desc limit 1)
        ),
        step as (
            select
                max(at) filter (where type = 'STEP_SUCCESS')
                    - min(at) filter (where type = 'STEP_START') as seconds
            from event
            where step_key is not null
            group by step_key
        )
        select
            min(at),
            min(at) filter (where type = 'STEP_START'),
            max(at) filter (where type = 'STEP_SUCCESS'),
            max(at) filter (where type = 'PIPELINE_SUCCESS'),
            (select sum(seconds) from step)
        from event
        """
    ).fetchone()
    assert row
    first, first_step, last_step, success, steps = map(float, row)
    return {
        "start-up": first - began,
        "to first step": first_step - first,
        "in steps": steps,
        "between steps": last_step - first_step - steps,
        "to the end": success - last_step,
        "exit": ended - success,
    }


def require_versions(warehouse: PgConnection, streams: Sequence[Stream], expected: int) -> None:
    """Every stream's navigate holds a segment a version, or the run did less than it said."""
    for stream in streams:
        row = warehouse.execute(
            sql.SQL("select count(*) from {}").format(sql.Identifier("navigate", stream.table_name))
        ).fetchone()
        if row != (expected,):
            raise SystemExit(f"navigate of {stream.label} holds {row} segments, not {expected}")


def report(runs: Mapping[str, Sequence[Run]], streams: int) -> None:
    costs = {executor: median_cost([run.cost for run in done]) for executor, done in runs.items()}
    count = len(next(iter(runs.values())))
    print_table(
        f"{CONNECTION}_layers: {streams} streams, layers, scan and checks, {RECORDS} new records"
        f" each, {count} rounds (forkserver: one), medians ({machine()})",
        ["executor", "wall s", "CPU s", "server CPU s", "wall s a stream", "CPU s a stream"],
        [
            [
                executor,
                f"{cost.wall:.2f}",
                f"{cost.children:.2f}",
                f"{cost.server:.2f}",
                at_most(cost.wall / streams, WALL_TARGET),
                f"{cost.children / streams:.2f}",
            ]
            for executor, cost in costs.items()
        ],
    )
    parts = list(next(iter(runs.values()))[0].split)
    print_table(
        "Where the time goes, wall seconds, medians (steps that run side by side count twice)",
        ["executor", *parts],
        [
            [executor, *(f"{statistics.median(r.split[p] for r in done):.2f}" for p in parts)]
            for executor, done in runs.items()
        ],
    )


if __name__ == "__main__":
    main()
