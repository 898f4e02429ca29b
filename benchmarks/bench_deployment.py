"""What a deployment has to provide: how fast and how big its processes are, and their connections.

The code location is started as `docker-compose.yml` and Dagster's Helm chart start it, and asked
until it answers; the peer is a plain Dagster location of as many assets, checks and jobs. Then runs
of several connections work at once, beside webserver and daemon, and their memory and the sessions
that PostgreSQL counts are sampled. Load of the machine shows in the seconds on the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil
from _landed import RECORDS, land, prepare_landing
from _measure import (
    at_most,
    compile_bytecode,
    machine,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _project import STREAMS_A_CONNECTION, connections_of, project_environment, write_project
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ListRepositoriesResponse
from dagster._serdes import deserialize_value

from atlas_dagster.warehouse import PgConnection, connect, migrate

START_TARGETS = {100: 6.0}  # seconds on the clock, by streams
CHECKS_A_STREAM = 18
RUNS_AT_ONCE = (1, 2, 4)
STREAMS_A_RUN = 5
PATIENCE_SECONDS = 600.0

PLAIN = """
import sys
sys.path.insert(0, {folder!r})
import _plain_definitions
defs = _plain_definitions.define({streams}, {each}, {checks})
"""


@dataclass(frozen=True)
class Start:
    """One start of a code location: seconds until it answers, CPU seconds, bytes of memory."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Load:
    """What was seen while runs worked: most sessions, memory of one run's processes, seconds."""

    sessions: int
    run_memory: int
    wall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 streams, one round, two runs")
    options = parser.parse_args()
    compile_bytecode()
    sizes, rounds = ([100], 1) if options.quick else ([10, 100, 1000], 3)
    with throwaway_directory() as directory:
        report_starts(measure_starts(directory, sizes, rounds))
        measure_runs(directory / "runs", (2,) if options.quick else RUNS_AT_ONCE)


def measure_starts(
    directory: Path, sizes: Sequence[int], rounds: int
) -> dict[int, dict[str, list[Start]]]:
    starts: dict[int, dict[str, list[Start]]] = {}
    for streams in sizes:
        project = directory / str(streams)
        write_project(project, connections_of(streams))
        (project / "plain.py").write_text(
            PLAIN.format(
                folder=str(Path(__file__).parent),
                streams=streams,
                each=STREAMS_A_CONNECTION,
                checks=CHECKS_A_STREAM,
            )
        )
        locations = {"atlas": ["-m", "atlas_dagster.definitions"], "plain": ["-f", "plain.py"]}
        starts[streams] = {name: [] for name in locations}
        for number in range(rounds + 1):
            tell(f"{streams} streams, round {number or 'not counted: bytecode'}")
            for name, target in locations.items():
                started = start_location(project, target)
                if number:
                    starts[streams][name].append(started)
    return starts


def start_location(project: Path, target: Sequence[str]) -> Start:
    """Start a code location, and stop it when it has told all that webserver and daemon need."""
    socket = project / "location.sock"
    socket.unlink(missing_ok=True)
    command = ["-m", "dagster", "api", "grpc", *target, "--socket", str(socket)]
    began = time.perf_counter()
    with running(project, *command) as process:
        client = DagsterGrpcClient(socket=str(socket))
        while not answers(client, socket):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE_SECONDS:
                raise SystemExit("the code location did not start")
            time.sleep(0.05)
        wall = time.perf_counter() - began
        location = psutil.Process(process.pid)
        times = location.cpu_times()
        return Start(wall, times.user + times.system, location.memory_info().rss)


def answers(client: DagsterGrpcClient, socket: Path) -> bool:
    try:
        found = deserialize_value(client.list_repositories(), ListRepositoriesResponse)
    except DagsterUserCodeUnreachableError:
        return False
    location = GrpcServerCodeLocationOrigin(host="localhost", socket=str(socket))
    origin = RemoteRepositoryOrigin(location, found.repository_symbols[0].repository_name)
    return bool(client.external_repository(origin, defer_snapshots=True))


def measure_runs(directory: Path, at_once: Sequence[int]) -> None:
    names = [f"many_{number}" for number in range(max(at_once))]
    settings = write_project(directory, dict.fromkeys(names, STREAMS_A_RUN))
    with throwaway_server(settings.data_dir) as server, connect(server.url) as warehouse:
        migrate(warehouse)
        streams = prepare_landing(warehouse, settings)
        land(warehouse, streams)
        tell("first runs, not counted: tables, bytecode")
        run_at_once(directory, warehouse, names)
        before = sessions(warehouse)
        loads: dict[int, Load] = {}
        for number in at_once:
            land(warehouse, streams)
            tell(f"{number} runs at once")
            loads[number] = run_at_once(directory, warehouse, names[:number])
        report_runs({n: Load(x.sessions - before, x.run_memory, x.wall) for n, x in loads.items()})
        report_services(measure_services(directory, warehouse))


def run_at_once(directory: Path, warehouse: PgConnection, names: Sequence[str]) -> Load:
    day = datetime.now(timezone.utc).date().isoformat()
    tags = json.dumps({"dagster/partition": day})
    base = ["-m", "dagster", "job", "execute", "-m", "atlas_dagster.definitions", "--tags", tags]
    began, most, memory = time.perf_counter(), 0, 0
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(running(directory, *base, "-j", f"{name}_layers")) for name in names
        ]
        while any(run.poll() is None for run in runs):
            most = max(most, sessions(warehouse))
            memory = max(memory, *(tree_memory(run.pid) for run in runs))
            time.sleep(0.1)
    if any(run.returncode for run in runs):
        raise SystemExit("a run failed")
    return Load(most, memory, time.perf_counter() - began)


def measure_services(directory: Path, warehouse: PgConnection) -> dict[str, tuple[int, int]]:
    """Sessions and memory of webserver and daemon, a while after their start."""
    commands = {
        "code location": [
            *("-m", "dagster", "api", "grpc", "-m", "atlas_dagster.definitions"),
            *("--socket", str(directory / "services.sock")),
        ],
        "webserver": ["-m", "dagster_webserver", "-p", "0", "-h", "127.0.0.1"],
        "daemon": ["-m", "dagster._daemon", "run"],
    }
    found: dict[str, tuple[int, int]] = {}
    for name, command in commands.items():
        tell(name)
        before = sessions(warehouse)
        with running(directory, *command) as process:
            most = memory = 0
            for _ in range(400):
                most = max(most, sessions(warehouse) - before)
                memory = max(memory, tree_memory(process.pid))
                time.sleep(0.1)
            found[name] = most, memory
    return found


@contextmanager
def running(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of Python's for the length of a block, with all that it started."""
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=directory,
            env=project_environment(directory),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def sessions(warehouse: PgConnection) -> int:
    """The sessions of clients, without our own."""
    row = warehouse.execute(
        "select count(*) from pg_stat_activity"
        " where backend_type = 'client backend' and pid <> pg_backend_pid()"
    ).fetchone()
    return int(row[0]) if row else 0


def tree_memory(pid: int) -> int:
    """The bytes that a process and its children hold for themselves."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().uss
    return total


def report_starts(starts: Mapping[int, Mapping[str, Sequence[Start]]]) -> None:
    rows: list[list[str]] = []
    for streams, by_name in starts.items():
        wall = {name: statistics.median(s.wall for s in done) for name, done in by_name.items()}
        target = START_TARGETS.get(streams)
        ours = by_name["atlas"]
        rows.append(
            [
                f"{streams:,} streams",
                at_most(wall["atlas"], target) if target else f"{wall['atlas']:.2f}",
                f"{wall['plain']:.2f}",
                f"{wall['atlas'] / wall['plain']:.2f}",
                f"{statistics.median(s.cpu for s in ours):.2f}",
                f"{statistics.median(s.memory for s in ours) / 2**20:,.0f}",
            ]
        )
    print_table(
        f"Start of the code location, until it answers, medians ({machine()})",
        ["", "wall s", "plain Dagster s", "ratio", "CPU s", "MB"],
        rows,
    )


def report_runs(loads: Mapping[int, Load]) -> None:
    print_table(
        f"Runs at once, each of {STREAMS_A_RUN} streams with {RECORDS} new records ({machine()})",
        ["runs", "most sessions", "sessions a run", "MB a run", "wall s", "runs a minute"],
        [
            [
                str(number),
                str(load.sessions),
                f"{load.sessions / number:.1f}",
                f"{load.run_memory / 2**20:,.0f}",
                f"{load.wall:.1f}",
                f"{number * 60 / load.wall:.1f}",
            ]
            for number, load in loads.items()
        ],
    )


def report_services(services: Mapping[str, tuple[int, int]]) -> None:
    print_table(
        f"Services that idle, with what they start ({machine()})",
        ["service", "most sessions", "MB"],
        [
            [name, str(count), f"{memory / 2**20:,.0f}"]
            for name, (count, memory) in services.items()
        ],
    )


if __name__ == "__main__":
    main()
