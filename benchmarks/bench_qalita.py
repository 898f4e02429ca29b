"""Publishing to QALITA: the client's CPU a sync beside an adapter's, a backlog, an idle tick.

The platform is the sandbox, kept in memory, in a process of its own. The peer does a sync's four
requests as QALITA's adapter for Airbyte does: an httpx client and a sign-in for each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
from _measure import (
    Cost,
    Server,
    at_least,
    at_most,
    machine,
    measured,
    median_cost,
    median_ratio,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _project import project_environment, write_project
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    StepMaterializationData,
)
from dagster._core.execution.plan.objects import StepSuccessData

from atlas_dagster.assets import run_ends
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.qalita.client import QalitaApi
from atlas_dagster.qalita.content import Content, Kind
from atlas_dagster.qalita.deliveries import Delivery, count_states, write_deliveries
from atlas_dagster.qalita.http import QalitaHttp
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import JobStatus
from atlas_dagster.qalita.protocol import Report
from atlas_dagster.qalita.publication import (
    Publication,
    PublishedColumn,
    PublishedLayer,
    build_content,
)
from atlas_dagster.qalita.sender import send_due
from atlas_dagster.qalita.settings import QalitaServer
from atlas_dagster.qalita.targets import Targets
from atlas_dagster.warehouse import PgConnection, connect, migrate

MOST_MS, TIMES, RATE, IDLE = 5.0, 8.0, 100.0, 0.05
STREAMS = 20  # of the connection
COLUMNS = 20  # of each stream

SERVE = """
import json, sys
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.qalita_server.double import API_TOKEN, PASSWORD, USER, QalitaDouble
class Forgetful(list):
    def append(self, request): pass
with running(QalitaDouble()) as double:
    double.requests = Forgetful()
    double.ledger.add_source("warehouse")
    double.ledger.add_pack("atlas")
    print(json.dumps([double.url, API_TOKEN, USER, PASSWORD]), flush=True)
    sys.stdin.read()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syncs", type=int, default=100, help="published in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backlog", type=int, default=10_000, help="materializations")
    parser.add_argument("--ticks", type=int, default=21)
    given = parser.parse_args()
    with throwaway_directory() as directory:
        project = write_project(directory, {"shop": STREAMS})
        with throwaway_server(project.data_dir) as server, serving() as platform:
            os.environ.update({**project_environment(directory), **variables(platform)})
            mapping = {"default": {"source_id": 1, "pack_id": 1}}
            (directory / "config" / "qalita.json").write_text(json.dumps(mapping))
            with connect(server.url) as warehouse:
                migrate(warehouse)
                measure_clients(warehouse, platform, given.syncs, given.rounds)
                warehouse.execute("truncate pipeline.qalita_delivery")
            measure_backlog(server, given.backlog, given.ticks)


def measure_clients(
    warehouse: PgConnection, platform: Sequence[str], syncs: int, rounds: int
) -> None:
    """The CPU that this process spends on a sync: its ledger and requests, beside the peer's."""
    url, token, user, password = platform
    ours: list[Cost] = []
    peers: list[Cost] = []
    for number in range(rounds):
        tell(f"round {number + 1}")
        write_deliveries(warehouse, deliveries(number, syncs))
        http = QalitaHttp(QalitaServer(url, token))
        api = QalitaApi(http)
        cost, sent = measured(lambda api=api: send_due(warehouse, api, Targets(api, ROUTES)).sent)
        http.close()
        if sent != syncs:
            raise SystemExit(f"only {sent} of {syncs} were sent")
        ours.append(cost)
        contents = [each.report.content for each in deliveries(number, syncs)]
        cost, _ = measured(
            lambda c=contents: [adapter(url, user, password, content) for content in c]
        )
        peers.append(cost)
    ratio = median_ratio((peer.own, our.own) for peer, our in zip(peers, ours, strict=True))
    our, peer = median_cost(ours).own / syncs * 1000, median_cost(peers).own / syncs * 1000
    print_table(
        f"A sync published: schemas of {COLUMNS} columns, metrics and a job; {syncs} a round,"
        f" {rounds} rounds, medians ({machine()})",
        ["", "CPU ms of the client a sync", "times less"],
        [
            ["a client and a sign-in for each", f"{peer:.1f}", ""],
            ["Atlas", at_most(our, MOST_MS, 1), at_least(ratio, TIMES, 1)],
        ],
    )


def measure_backlog(server: Server, materializations: int, ticks: int) -> None:
    """Ticks of the sensor until all is delivered, on one core, and ticks with nothing to do."""
    run_ends.SETTLE_SECONDS = 0.0
    warnings.simplefilter("ignore", dg.BetaWarning)
    definitions = build_code_location()
    sensor = definitions.resolve_sensor_def("qalita")
    with dg.DagsterInstance.get() as instance:
        tell(f"write {materializations:,} materializations into Dagster's log")
        log_runs(instance, materializations // STREAMS)
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        cursor: str | None = None
        costs: list[Cost] = []
        while True:
            with dg.build_sensor_context(instance, cursor, definitions=definitions) as context:
                cost, data = measured(lambda c=context: sensor.evaluate_tick(c), server)
            cursor = data.cursor
            tell(str(data.skip_message))
            if data.skip_message == "nothing new":
                break
            if "not reachable" in str(data.skip_message):
                raise SystemExit("the platform's process has gone")
            costs.append(cost)
        with connect(server.url) as warehouse:
            delivered = count_states(warehouse).get("done", 0)
        if delivered != materializations:
            raise SystemExit(f"{delivered} of {materializations} were delivered")
        idle: list[Cost] = []
        for _ in range(ticks):
            with dg.build_sensor_context(instance, cursor, definitions=definitions) as context:
                cost, data = measured(lambda c=context: sensor.evaluate_tick(c), server)
            cursor = data.cursor
            idle.append(cost)
        os.sched_setaffinity(0, cores)
    wall, own = sum(c.wall for c in costs), sum(c.own for c in costs)
    print_table(
        f"A backlog of {materializations:,} materializations in {materializations // STREAMS:,}"
        f" runs, read, written down and delivered in {len(costs)} ticks on one core ({machine()})",
        ["", "seconds", "CPU seconds", "events a second", "events a CPU second"],
        [
            [
                "the sensor qalita",
                f"{wall:.1f}",
                f"{own:.1f}",
                at_least(materializations / wall, RATE, 0),
                f"{materializations / own:.0f}",
            ]
        ],
    )
    quiet = median_cost(idle)
    print_table(
        f"An idle tick after them, {ticks} ticks, medians ({machine()})",
        ["", "seconds", "CPU seconds", "server CPU seconds"],
        [
            [
                "the sensor qalita",
                at_most(quiet.wall, IDLE, 3),
                f"{quiet.own:.3f}",
                f"{quiet.server:.3f}",
            ]
        ],
    )


@contextmanager
def serving() -> Generator[Sequence[str]]:
    """The platform for the length of a block: its URL, a token of it, a user and a password."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def variables(platform: Sequence[str]) -> dict[str, str]:
    return {"QALITA_BASE_URL": platform[0], "QALITA_API_TOKEN": platform[1]}


ROUTES = QalitaMapping("qalita.json", default=Route("qalita.json", 1, None, 1, None))
NOW = datetime.now(timezone.utc)


def deliveries(number: int, syncs: int) -> list[Delivery]:
    """Syncs of as many streams, whose schemas are new in each round."""
    return [
        Delivery(
            f"shop/stream_{stream} sync {number}",
            Subject("id", "shop", "shop", f"stream_{stream}", f"stream_{stream}"),
            Report(JobStatus.SUCCEEDED, NOW, NOW, content=content(number, stream), part="sync"),
        )
        for stream in range(syncs)
    ]


def content(number: int, stream: int) -> Content:
    columns = [PublishedColumn(f"field_{n}", "varchar") for n in range(COLUMNS - 1)]
    counts = {"records_emitted": 1000, "bytes_emitted": 100_000, "records_committed": 1000}
    layer = PublishedLayer(
        "landing", counts, (*columns, PublishedColumn(f"field_of_round_{number}", "bigint")), 1
    )
    return build_content(
        Publication(f"shop__stream_{stream}", "landing", JobStatus.SUCCEEDED, 1.5, [layer])
    )


def adapter(url: str, user: str, password: str, sent: Content) -> None:
    """What the adapter does for a sync: a client, a sign-in, two uploads, a job."""
    ids = {"source_id": 1, "pack_id": 1, "pack_version_id": 1}
    with httpx.Client(base_url=url, timeout=30) as client:
        login = {"username": user, "password": password}
        token = client.post("/api/v1/auth/signin", data=login).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        for kind in (Kind.SCHEMAS, Kind.METRICS):
            items = json.dumps(sent.items(kind, "warehouse", "adapter")).encode()
            file = {"file": (f"{kind.value}.json", items, "application/json")}
            path = f"/api/v1/{kind.value}/upload"
            client.post(path, params=ids, data=ids, files=file, headers=headers).raise_for_status()
        job = {"name": "adapter", **ids, "status": "succeeded"}
        client.post("/api/v2/jobs/create", json=job, headers=headers).raise_for_status()


def log_runs(instance: dg.DagsterInstance, runs: int) -> None:
    """Syncs as runs log them, without their other events; many in a statement."""
    storage: Any = instance.event_log_storage
    for run in range(runs):
        entries = list(run_entries(f"run-{run:06}", time.time() - 3600 + run))
        with storage.index_connection() as connection:
            connection.execute(storage.prepare_insert_event_batch(entries))


def run_entries(run_id: str, at: float) -> Iterator[dg.EventLogEntry]:
    types = dg.DagsterEventType
    keys = [dg.AssetKey(["airbyte", "shop", f"stream_{n}"]) for n in range(STREAMS)]
    events: list[tuple[dg.DagsterEventType, str | None, Any]] = [
        *(
            (
                types.ASSET_MATERIALIZATION_PLANNED,
                "sync_shop",
                AssetMaterializationPlannedData(key),
            )
            for key in keys
        ),
        (types.STEP_START, "sync_shop", None),
        *((types.ASSET_MATERIALIZATION, "sync_shop", materialization(key)) for key in keys),
        (types.STEP_SUCCESS, "sync_shop", StepSuccessData(duration_ms=1500.0)),
        (types.RUN_SUCCESS, None, None),
    ]
    for kind, step, told in events:
        event = DagsterEvent(kind.value, "shop_sync", step_key=step, event_specific_data=told)
        yield dg.EventLogEntry(
            error_info=None,
            level="debug",
            user_message="",
            run_id=run_id,
            timestamp=at,
            step_key=step,
            job_name="shop_sync",
            dagster_event=event,
        )


def materialization(key: dg.AssetKey) -> StepMaterializationData:
    columns = [
        dg.TableColumn(f"field_{number}", "varchar", description="a field of the source")
        for number in range(COLUMNS)
    ]
    metadata = {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": "postgres.landing.shop__x",
        "atlas/job_id": 1,
        "atlas/records_emitted": 1000,
        "atlas/records_committed": 1000,
        "atlas/bytes_emitted": 100_000,
        "atlas/bytes_committed": 100_000,
        "atlas/duration_seconds": 1.5,
        "atlas/touched_days": dg.MetadataValue.json(["2026-11-01"]),
    }
    return StepMaterializationData(dg.AssetMaterialization(key, metadata=metadata))


if __name__ == "__main__":
    main()
