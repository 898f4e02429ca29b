"""Connector to landing, beside the bare connector with its output thrown away.

The connector is source-faker, stream users. A round runs both; each round syncs into a fresh
database. Connector, spec and catalog are there already, as in every sync but the first of a day.
"""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
from _measure import (
    Cost,
    Server,
    at_most,
    compile_bytecode,
    machine,
    measured,
    median_cost,
    median_ratio,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)

from atlas_dagster.airbyte import catalogs, connectors
from atlas_dagster.airbyte.sync import Sync
from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.config import EmbeddedConnection, EmbeddedStream
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import connect, migrate

WALL_TARGET = 1.25
CPU_TARGET = 0.2
PACKAGE, VERSION = "airbyte-source-faker", "7.2.1"


@dataclass(frozen=True)
class Round:
    """One run of each."""

    bare: Cost
    ours: Cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 records, one round")
    parser.add_argument(
        "--connector", type=Path, help="an installed source-faker 7.2.1, used instead of a new venv"
    )
    options = parser.parse_args()
    compile_bytecode()
    records, rounds = (2_000, 1) if options.quick else (50_000, 3)
    with throwaway_directory() as directory, throwaway_server(directory) as server:
        settings = load_settings({"ATLAS_DATA_DIR": str(directory)})
        if options.connector:
            stand_in(options.connector, directory)
        else:
            tell(f"installing {PACKAGE} {VERSION}")
        measures = {
            slices: measure(faker(records, slices), settings, server, rounds)
            for slices in (1000, 100)
        }
    report(measures, records)


def faker(records: int, slices: int) -> EmbeddedConnection:
    """source-faker's users; it sends a state after every ``slices`` records."""
    return EmbeddedConnection(
        id=f"00000000-0000-4000-8000-{slices:012d}",
        name="faker",
        slug="faker",
        package=PACKAGE,
        version=VERSION,
        executable="source-faker",
        config={"count": records, "seed": 1, "parallelism": 1, "records_per_slice": slices},
        streams=(
            EmbeddedStream("users", None, SyncMode.INCREMENTAL, DestinationMode.APPEND_DEDUP),
        ),
        namespace="landing",
        prefix="faker__",
        file="config/connections.yaml",
    )


def stand_in(executable: Path, data_dir: Path) -> None:
    """Put an installed connector where its venv would be."""
    venv = data_dir / "connectors" / f"{PACKAGE}-{VERSION}"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "source-faker").symlink_to(executable.resolve())
    (venv / ".atlas-installed").touch()


def measure(
    embedded: EmbeddedConnection, settings: Settings, server: Server, rounds: int
) -> list[Round]:
    slices = embedded.config["records_per_slice"]
    tell(f"states every {slices} records: a first sync, not counted")
    measure_sync(embedded, settings, server)
    command = bare_command(embedded, settings)
    done: list[Round] = []
    for number in range(rounds):
        tell(f"states every {slices} records: round {number + 1}")
        bare, _ = measured(lambda: run_bare(command))
        done.append(Round(bare, measure_sync(embedded, settings, server)))
    return done


def bare_command(embedded: EmbeddedConnection, settings: Settings) -> list[str]:
    """The connector's `read` with what a sync gives it; there has been a sync before."""
    found = connectors.known_catalog(embedded, settings.data_dir)
    connection = parse_connection(
        catalogs.connection_details(embedded, found),
        catalogs.destination_details(embedded, settings),
        embedded.slug,
    )
    configured = catalogs.configured_catalog(connection, found, {("users", None): 0}, job_id=1)
    options: list[str] = []
    for name, content in (("config", embedded.config), ("catalog", configured)):
        path = settings.data_dir / f"bare-{name}.json"
        path.write_bytes(msgspec.json.encode(content))
        options += [f"--{name}", str(path)]
    return [str(connectors.install(embedded, settings.data_dir)), "read", *options]


def run_bare(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def measure_sync(embedded: EmbeddedConnection, settings: Settings, server: Server) -> Cost:
    """A first sync into a fresh database: from opening the job to its last commit."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("drop database if exists round with (force)")
        admin.execute("create database round")
        admin.execute("checkpoint")
    url = server.database_url("round")
    with connect(url) as connection:
        migrate(connection)

    def sync() -> Sync:
        job = Sync(embedded, settings, url)
        job.run()
        return job

    cost, job = measured(sync, server)
    if job.status != "succeeded":
        raise SystemExit(f"the sync failed: {job.failure}")
    with connect(url) as connection:
        row = connection.execute("select count(*) from landing.faker__users").fetchone()
    if row != (embedded.config["count"],):
        raise SystemExit(f"{row} rows landed, not {embedded.config['count']}")
    return cost


def report(measures: dict[int, list[Round]], records: int) -> None:
    rows: list[list[str]] = []
    for slices, rounds in measures.items():
        bare = median_cost([r.bare for r in rounds])
        ours = median_cost([r.ours for r in rounds])
        wall = median_ratio((r.ours.wall, r.bare.wall) for r in rounds)
        cpu = median_ratio((r.ours.own, r.bare.children) for r in rounds)
        rows += [
            [f"{slices:,}", "bare", *figures(bare, records), "", ""],
            [
                f"{slices:,}",
                "sync",
                *figures(ours, records),
                at_most(wall, WALL_TARGET),
                at_most(cpu, CPU_TARGET),
            ],
        ]
    count = len(next(iter(measures.values())))
    print_table(
        f"source-faker, {records:,} users, connector to landing, {count} rounds, medians"
        f" ({machine()})",
        [
            "state every",
            "",
            "wall s",
            "records/s",
            "connector CPU s",
            "Atlas CPU s",
            "server CPU s",
            "wall / bare wall",
            "Atlas CPU / bare CPU",
        ],
        rows,
    )


def figures(cost: Cost, records: int) -> list[str]:
    return [
        f"{cost.wall:.2f}",
        f"{records / cost.wall:,.0f}",
        f"{cost.children:.2f}",
        f"{cost.own:.2f}",
        f"{cost.server:.2f}",
    ]


if __name__ == "__main__":
    main()
