"""Builds of the layers that are killed, that lose their server, or that run side by side, all end
in the same rows.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster.catalog import Stream
from atlas_dagster.rules import StreamRules
from atlas_dagster.server_account import server_account
from atlas_dagster.warehouse import PgConnection, connect, migrate
from atlas_dagster_tests.conftest import server_directory
from atlas_dagster_tests.layers.support import (
    build,
    chart,
    create_landing,
    land,
    load,
    navigate,
    rows,
)
from atlas_dagster_tests.properties.crowd import batches, crowd
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.properties.player import check_navigate
from atlas_dagster_tests.properties.worlds import STREAM

DAYS, KEYS = 8, 3000
FOREVER = 1_000_000

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(3))
def test_builds_killed_at_random_instants_lose_and_double_nothing(
    warehouse: PgConnection, warehouse_url: str, seed: int
) -> None:
    chance = random.Random(seed)
    versions = crowd(seed, KEYS, DAYS)
    create_landing(warehouse, STREAM)
    for batch in batches(versions, seed, count=5):
        land(warehouse, STREAM, batch)
        worker = start_worker(warehouse_url, chance.randrange(1000), rounds=FOREVER)
        interrupt_at_work(
            worker, worker.kill, steps=chance.randrange(1, 5), seconds=chance.random() * 0.15
        )
        assert worker.returncode == -signal.SIGKILL
    build(warehouse, STREAM)
    check_layers(warehouse, versions)


@pytest.mark.parametrize("purges", [False, True], ids=["builds", "builds and purges"])
def test_builds_side_by_side_wait_for_each_other_and_agree(
    warehouse: PgConnection, warehouse_url: str, *, purges: bool
) -> None:
    versions = crowd(99, KEYS, DAYS)
    create_landing(warehouse, STREAM)
    pieces = list(batches(versions, 99, count=4))
    land(warehouse, STREAM, pieces[0])
    workers = [start_worker(warehouse_url, seed, rounds=5, purges=purges) for seed in range(8)]
    try:
        for piece in pieces[1:]:  # while they work
            land(warehouse, STREAM, piece)
        endings = [worker.communicate() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [(worker.returncode, end[1]) for worker, end in zip(workers, endings, strict=True)] == [
        (0, "")
    ] * len(workers)
    build(warehouse, STREAM)
    if purges:
        assert len(rows(warehouse, STREAM, "explore")) < len(versions)
    check_layers(warehouse, versions, whole=("chart",) if purges else ("explore", "chart"))


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of this test's own, to be stopped without warning."""

    data_dir: Path
    url: str

    def crash(self) -> None:
        cluster = self.data_dir / "postgres"
        stop = ("stop", "-D", str(cluster), "-m", "immediate", "-w")
        embedded_postgres._run("pg_ctl", stop, server_account(cluster), "PostgreSQL is stopping")

    def start(self) -> None:
        assert embedded_postgres.start(self.data_dir) == self.url


@pytest.fixture
def server() -> Iterator[Server]:
    data_dir = server_directory()
    try:
        url = embedded_postgres.start(data_dir)
        with connect(url) as connection:
            migrate(connection)
        yield Server(data_dir, url)
    finally:
        embedded_postgres.stop(data_dir)
        shutil.rmtree(data_dir)


LAYERS = (load, chart, navigate)


@pytest.mark.parametrize("first_build", [True, False], ids=["first build", "increment"])
def test_a_restart_of_postgresql_in_the_middle_of_each_layer_loses_and_doubles_nothing(
    server: Server, *, first_build: bool
) -> None:
    first, *others = pieces = list(batches(crowd(7, KEYS, DAYS), 7, count=4))
    with connect(server.url) as connection:
        create_landing(connection, STREAM)
        if not first_build:
            land(connection, STREAM, first)
            build(connection, STREAM)
        for piece in pieces if first_build else others:
            land(connection, STREAM, piece)
    for layer in LAYERS:
        crash_before_the_end(server, layer)
        with connect(server.url) as connection:
            layer(connection, STREAM)
    with connect(server.url) as connection:
        check_layers(connection, crowd(7, KEYS, DAYS))


def crash_before_the_end(server: Server, layer: Callable[[PgConnection, Stream], object]) -> None:
    """Crash while all rows of a layer are written and its transaction waits to count them."""
    guard = connect(server.url)
    guard.execute("begin; lock table pipeline.layer_table in exclusive mode")  # readers may pass
    with ThreadPoolExecutor() as pool, connect(server.url) as connection:
        building = pool.submit(layer, connection, STREAM)
        while not is_awaited(guard):
            assert not building.done(), building.result()
        server.crash()
        assert isinstance(building.exception(), psycopg.OperationalError)
    guard.close()
    server.start()


def is_awaited(guard: PgConnection) -> bool:
    waiting = (
        "select from pg_locks where relation = 'pipeline.layer_table'::regclass and not granted"
    )
    return guard.execute(waiting).fetchone() is not None


def test_restarts_of_postgresql_at_random_instants_lose_and_double_nothing(server: Server) -> None:
    chance = random.Random(3)
    versions = crowd(3, KEYS, DAYS)
    with connect(server.url) as connection:
        create_landing(connection, STREAM)
    for batch in batches(versions, 3, count=6):
        with connect(server.url) as connection:
            land(connection, STREAM, batch)
        worker = start_worker(server.url, chance.randrange(1000), rounds=FOREVER)
        interrupt_at_work(
            worker, server.crash, steps=chance.randrange(1, 5), seconds=chance.random() * 0.15
        )
        server.start()
        assert worker.returncode == 1
    with connect(server.url) as connection:
        build(connection, STREAM)
        check_layers(connection, versions)


def check_layers(
    connection: PgConnection,
    versions: Sequence[Version],
    whole: Sequence[str] = ("explore", "chart"),
) -> None:
    raw_ids = sorted(version.raw_id for version in versions)
    for layer in whole:
        assert [row["_airbyte_raw_id"] for row in rows(connection, STREAM, layer)] == raw_ids
    check_counts(connection)
    check_navigate(connection, STREAM, StreamRules(), versions)


def check_counts(connection: PgConnection) -> None:
    """The row counts that are kept beside the tables are what the tables hold."""
    kept = connection.execute("select layer, rows, current_rows from pipeline.layer_table")
    navigate = rows(connection, STREAM, "navigate")
    assert {layer: (count, current) for layer, count, current in kept.fetchall()} == {
        "explore": (len(rows(connection, STREAM, "explore")), None),
        "chart": (len(rows(connection, STREAM, "chart")), None),
        "navigate": (len(navigate), sum(row["_atlas_is_current"] for row in navigate)),
    }


def start_worker(
    url: str, seed: int, rounds: int, *, purges: bool = False
) -> subprocess.Popen[str]:
    module = "atlas_dagster_tests.faults.layer_worker"
    return subprocess.Popen(
        [sys.executable, "-m", module, url, *map(str, (seed, DAYS, rounds, int(purges)))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt_at_work(
    worker: subprocess.Popen[str], interrupt: Callable[[], None], steps: int, seconds: float
) -> None:
    """Interrupt it so many seconds into the step that comes after so many others."""
    assert worker.stdout is not None
    try:
        for _ in range(steps):
            assert worker.stdout.readline(), worker.communicate()[1]
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(timeout=seconds)
        interrupt()
        worker.communicate()
    finally:
        worker.kill()
        worker.communicate()
