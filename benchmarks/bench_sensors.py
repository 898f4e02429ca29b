"""An idle tick of each sensor over many assets, and a look at a catalog that has not changed.

Airbyte is the tests' own, in a process of its own; Dagster's and our tables are in the embedded
PostgreSQL, with a history of jobs and notices that are done with.
"""

from __future__ import annotations

import argparse
import os
import time

import dagster as dg
from _measure import (
    Cost,
    Server,
    at_most,
    machine,
    measured,
    median_cost,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _project import project_environment, write_project
from bench_airbyte import serving

from atlas_dagster.airbyte.catalog_watch import Watch, check_catalog
from atlas_dagster.airbyte.http import DEFAULT_RETRIES, AirbyteHttp
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.settings import AirbyteServer, load_settings
from atlas_dagster.warehouse import connect

TARGET = 0.1  # seconds
STREAMS = 25  # of each connection
SENSORS = ("observed_syncs", "airbyte_catalog", "layer_runs")

HISTORY = """
insert into pipeline.sync (connection_id, job_id, status, ended_at, told_at)
select c.id, 1000 * c.number + job, 'succeeded', now(), now()
from (
    select listed ->> 'id' as id, number
    from pipeline.workspace_snapshot, json_array_elements(snapshot -> 'connections')
        with ordinality as _ (listed, number)
) as c, generate_series(1, 100) as job;

insert into pipeline.notice (kind, fingerprint, source, settled_at)
select 'sync', 'poll/' || number, 'poll', now() from generate_series(1, 20000) as number;

analyze pipeline.sync, pipeline.notice;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=50, help="of 25 streams each")
    parser.add_argument("--rounds", type=int, default=21)
    given = parser.parse_args()
    with throwaway_directory() as directory:
        project = write_project(directory, {})
        with (
            throwaway_server(project.data_dir) as server,
            serving(given.connections, STREAMS, 0.0) as airbyte,
        ):
            os.environ.update({**project_environment(directory), **variables(airbyte)})
            tell("fetch the catalog, build the definitions")
            refresh(load_settings())
            with connect(server.url) as warehouse:
                warehouse.execute(HISTORY)
            measure_ticks(server, given.rounds)
    with throwaway_directory() as directory:
        project = write_project(directory, {})
        with throwaway_server(project.data_dir) as server, serving(200, STREAMS, 0.05) as airbyte:
            os.environ.update({**project_environment(directory), **variables(airbyte)})
            measure_looks(server, airbyte)


def variables(airbyte: AirbyteServer) -> dict[str, str]:
    """The environment that names the server."""
    return {
        "AIRBYTE_REST_API_BASE_URL": airbyte.rest_url,
        "AIRBYTE_CONFIGURATION_API_BASE_URL": airbyte.configuration_url,
        "AIRBYTE_WORKSPACE_ID": airbyte.workspace_id,
    }


def measure_ticks(server: Server, rounds: int) -> None:
    definitions = build_code_location()
    repository = definitions.get_repository_def()
    repository.load_all_definitions()
    assets = len(repository.asset_graph.get_all_asset_keys())
    with dg.DagsterInstance.get() as instance:
        costs = {
            name: ticks(instance, definitions, name, server, rounds)
            for name in SENSORS
            if tell(name) is None
        }
    print_table(
        f"An idle tick over {assets} assets, {rounds} ticks, medians ({machine()})",
        ["sensor", "seconds", "CPU seconds", "server CPU seconds"],
        [
            [name, at_most(cost.wall, TARGET, 3), f"{cost.own:.3f}", f"{cost.server:.3f}"]
            for name, cost in costs.items()
        ],
    )


def ticks(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    name: str,
    server: Server,
    rounds: int,
) -> Cost:
    """The median of ticks in which nothing has happened; the first, which finds out, is not one."""
    sensor = definitions.resolve_sensor_def(name)
    cursor: str | None = None
    costs: list[Cost] = []
    for number in range(rounds + 1):
        with dg.build_sensor_context(instance, cursor, definitions=definitions) as context:
            cost, data = measured(lambda c=context: sensor.evaluate_tick(c), server)
        cursor = data.cursor
        if number:
            if data.run_requests or data.asset_events:
                raise SystemExit(f"{name} was not idle: {data}")
            costs.append(cost)
    return median_cost(costs)


def measure_looks(server: Server, airbyte: AirbyteServer) -> None:
    """What it costs to see that nothing has changed: in the list, and in all of it."""
    settings = load_settings()
    refresh(settings)
    http = AirbyteHttp(airbyte)
    api, now = AirbyteApi(http), time.time()
    known = check_catalog(settings, api, Watch(), now, DEFAULT_RETRIES, whole=True).watch

    def look(*, whole: bool) -> None:
        checked = check_catalog(settings, api, known, now, DEFAULT_RETRIES, whole=whole)
        if checked.failure or checked.fetched != whole:
            raise SystemExit(f"the look failed: {checked}")

    rows: list[list[str]] = []
    for what, whole in (("the list of connections", False), ("all of it", True)):
        tell(what)
        costs = [measured(lambda w=whole: look(whole=w), server)[0] for _ in range(3)]
        cost = median_cost(costs)
        rows.append([what, f"{cost.wall:.2f}", f"{cost.own:.2f}", f"{cost.server:.2f}"])
    http.close()
    print_table(
        f"A look at 200 connections of {STREAMS} streams that have not changed, 50 ms an answer,"
        f" 3 rounds, medians ({machine()})",
        ["", "seconds", "CPU seconds", "server CPU seconds"],
        rows,
    )


if __name__ == "__main__":
    main()
