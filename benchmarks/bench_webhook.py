"""Receiving notices, beside a bare endpoint that stores each by one INSERT, in one run.

Both say 200 after the commit, on PostgreSQL as Atlas starts it, durable; each is one process, and
the same uvicorn, so that what differs is the committing. The senders are in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from _measure import (
    Server,
    at_least,
    machine,
    median_ratio,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)

from atlas_dagster.warehouse import connect, migrate
from atlas_dagster_tests.webhook import bodies

TARGET = 1000.0  # requests a second
TOKEN = "a-token-of-the-benchmark"
ROOT = Path(__file__).parents[1]

ATLAS = "from atlas_dagster.cli import main; main()"
PEER = """
import contextlib, socket, sys
import psycopg, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

KEEP = '''insert into pipeline.notice as n (kind, fingerprint, connection_id, job_id, source)
values ('sync', %s, %s, %s, 'webhook')
on conflict (fingerprint) do update set times = n.times + 1, last_received_at = now()'''

@contextlib.asynccontextmanager
async def lifespan(app):
    async with await psycopg.AsyncConnection.connect(sys.argv[1], autocommit=True) as connection:
        app.state.connection = connection
        yield

async def receive(request):
    data = (await request.json())["data"]
    connection_id, job_id = data["connection"]["id"], data["jobId"]
    mark = f"sync/{connection_id}/{job_id}/{data['success']}"
    await request.app.state.connection.execute(KEEP, (mark, connection_id, job_id))
    return JSONResponse({"status": "accepted"})

routes = [Route("/airbyte/webhook/{token}", receive, methods=["POST"])]
app = Starlette(routes=routes, lifespan=lifespan)
listener = socket.create_server(("127.0.0.1", 0), backlog=2000)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(
    uvicorn.Config(app, http="h11", ws="none", access_log=False, log_level="warning")
).run(sockets=[listener])
"""


@dataclass(frozen=True)
class Run:
    """One round: requests a second, milliseconds of waiting, CPU milliseconds a request."""

    rate: float
    median: float
    slowest: float
    own: float
    server: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000, help="of each round")
    parser.add_argument("--senders", type=int, default=64, help="at once")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with throwaway_directory() as directory, throwaway_server(directory / "server") as server:
        with connect(server.url) as connection:
            migrate(connection)
        with (
            receiver(directory, server, ATLAS, "webhook") as atlas,
            receiver(directory, server, PEER, server.url) as peer,
        ):
            for kind, replayed in (("different notices", False), ("replays of one", True)):
                rounds = [
                    (
                        measure(given, server, peer, replayed),
                        measure(given, server, atlas, replayed),
                    )
                    for _ in announced(given.rounds, kind)
                ]
                report(given, kind, rounds)


def announced(rounds: int, kind: str) -> Iterator[int]:
    for number in range(rounds):
        tell(f"{kind}, round {number + 1}")
        yield number


@dataclass(frozen=True)
class Receiver:
    """A process that receives, and its port."""

    process: psutil.Process
    port: int

    def cpu(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system


@contextlib.contextmanager
def receiver(directory: Path, server: Server, code: str, *arguments: str) -> Generator[Receiver]:
    """A receiver for the length of a block."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ATLAS_PROJECT_DIR": str(directory),
        "ATLAS_WAREHOUSE_URL": server.url,
        "ATLAS_WEBHOOK_TOKEN": TOKEN,
        "ATLAS_WEBHOOK_PORT": "0",
    }
    with (directory / "receiver.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=directory,
            env=environment,
        )
    assert process.stdout
    try:
        port = int(process.stdout.readline().rpartition(":")[2])
        yield Receiver(psutil.Process(process.pid), port)
    finally:
        process.terminate()
        process.communicate()


def measure(given: argparse.Namespace, server: Server, target: Receiver, replayed: bool) -> Run:
    """Send all requests of a round, to an empty table; what arrived is counted."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("truncate pipeline.notice")
        requests = [request(0 if replayed else number) for number in range(given.requests)]
        served, own, began = server.cpu(), target.cpu(), time.perf_counter()
        waits = asyncio.run(send(target.port, requests, given.senders))
        seconds = time.perf_counter() - began
        served, own = server.cpu() - served, target.cpu() - own
        kept = connection.execute("select count(*), sum(times) from pipeline.notice").fetchone()
    assert kept == (1 if replayed else given.requests, given.requests)
    cuts = statistics.quantiles(waits, n=100)
    each = 1000 / given.requests
    return Run(
        given.requests / seconds, 1000 * cuts[49], 1000 * cuts[98], each * own, each * served
    )


def request(job: int) -> bytes:
    """A notification of Airbyte's, as it comes over the wire."""
    content = json.dumps(bodies.succeeded(job)).encode()
    head = (
        f"POST /airbyte/webhook/{TOKEN} HTTP/1.1\r\nHost: atlas\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def send(port: int, requests: list[bytes], senders: int) -> list[float]:
    """Send requests over so many connections; returns the seconds that each waited."""
    waits: list[float] = []
    left = iter(requests)

    async def sender() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for content in left:
            began = time.perf_counter()
            writer.write(content)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            waits.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(sender() for _ in range(senders)))
    return waits


def report(given: argparse.Namespace, kind: str, rounds: list[tuple[Run, Run]]) -> None:
    rows: list[list[str]] = []
    for name, runs in zip(("one INSERT each", "Atlas"), zip(*rounds, strict=True), strict=True):
        figures = [
            statistics.median(getattr(run, figure) for run in runs)
            for figure in ("median", "slowest", "own", "server")
        ]
        rate = statistics.median(run.rate for run in runs)
        told = at_least(rate, TARGET, 0) if name == "Atlas" else f"{rate:.0f}"
        rows.append([name, told, *(f"{figure:.2f}" for figure in figures)])
    ratio = median_ratio((atlas.rate, peer.rate) for peer, atlas in rounds)
    print_table(
        f"{given.requests} {kind}, {given.senders} senders, {given.rounds} rounds, medians;"
        f" Atlas is {ratio:.2f} times as fast ({machine()})",
        ["", "requests/s", "p50 ms", "p99 ms", "CPU ms each", "PostgreSQL's"],
        rows,
    )


if __name__ == "__main__":
    main()
