"""Fetching the catalog of an Airbyte server, beside dagster-airbyte's own way, in one run.

The server is the tests' own, in a process of its own: every answer takes as long as is asked for.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from _measure import Cost, at_least, machine, measured, median_cost, print_table, tell
from dagster_airbyte import AirbyteWorkspace

from atlas_dagster.airbyte.http import AirbyteHttp
from atlas_dagster.airbyte.refresh import fetch_workspace
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.snapshot import problems
from atlas_dagster.settings import AirbyteServer

TARGET = 8.0  # times as fast as dagster-airbyte
COLUMNS = 10

SERVE = """
import json, sys
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.airbyte_server.ledger import stream

connections, streams, columns, seconds = json.loads(sys.argv[1])
fields = {f"field_{number}": {"type": ["null", "string"]} for number in range(columns - 1)}
with running(AirbyteDouble()) as double:
    double.delay_seconds = seconds
    fields["id"] = {"type": "integer"}
    for number in range(connections):
        entries = [stream(f"stream_{position}", fields) for position in range(streams)]
        double.ledger.add_connection(f"connection {number}", *entries)
    known = [double.rest_url, double.configuration_url, double.ledger.workspace_id]
    print(json.dumps(known), flush=True)
    sys.stdin.read()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--streams", type=int, default=25, help="of each connection")
    parser.add_argument("--milliseconds", type=int, default=50, help="that each answer takes")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ours: list[Cost] = []
    stock: list[Cost] = []
    with serving(given.connections, given.streams, given.milliseconds / 1000) as server:
        for number in range(given.rounds):
            tell(f"round {number + 1}")
            cost, streams = measured(lambda: fetch(server))
            ours.append(cost)
            assert streams == given.connections * given.streams
            cost, streams = measured(lambda: fetch_stock(server))
            stock.append(cost)
            assert streams == given.connections * given.streams
    report(given, ours, stock)


@contextmanager
def serving(connections: int, streams: int, seconds: float) -> Generator[AirbyteServer]:
    """The server for the length of a block."""
    arguments = json.dumps([connections, streams, COLUMNS, seconds])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin
    assert process.stdout
    try:
        rest, configuration, workspace_id = json.loads(process.stdout.readline())
        yield AirbyteServer(rest, configuration, workspace_id)
    finally:
        process.stdin.close()
        process.wait()


def fetch(server: AirbyteServer) -> int:
    """Atlas: `atlas refresh` up to the file, each catalog checked; returns the streams found."""
    http = AirbyteHttp(server)
    snapshot = fetch_workspace(AirbyteApi(http), None, ())
    http.close()
    assert not problems(snapshot)
    assert msgspec.json.encode(snapshot)
    return sum(len(stored.details["syncCatalog"]["streams"]) for stored in snapshot.connections)


def fetch_stock(server: AirbyteServer) -> int:
    """dagster-airbyte, with its own defaults."""
    data = AirbyteWorkspace(
        rest_api_base_url=server.rest_url,
        configuration_api_base_url=server.configuration_url,
        workspace_id=server.workspace_id,
    ).fetch_airbyte_workspace_data()
    return sum(len(connection.streams) for connection in data.connections_by_id.values())


def report(given: argparse.Namespace, ours: list[Cost], stock: list[Cost]) -> None:
    ratio = statistics.median(s.wall / o.wall for s, o in zip(stock, ours, strict=True))
    rows = [
        [name, f"{cost.wall:.2f}", f"{cost.own:.2f}", times]
        for name, cost, times in (
            ("dagster-airbyte", median_cost(stock), ""),
            ("Atlas", median_cost(ours), at_least(ratio, TARGET, 1)),
        )
    ]
    print_table(
        f"{given.connections} connections of {given.streams} streams, {given.milliseconds} ms an"
        f" answer, {given.rounds} rounds, medians ({machine()})",
        ["", "seconds", "CPU seconds", "times as fast"],
        rows,
    )


if __name__ == "__main__":
    main()
