"""An erasure that is killed, or that meets a build, leaves all of a stream or nothing."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import sql

from atlas_dagster.catalog import Stream
from atlas_dagster.warehouse import PgConnection, connect, lock_transaction
from atlas_dagster_tests.layers.support import at, create_landing, land, rows
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.subjects.support import (
    build,
    catalogued,
    check_counts,
    erase,
    found,
    places,
)

ANN, BOB = "ann@example.com", "bob@example.com"
FIELDS = {"id": {"type": "integer"}, "email": {"type": "string"}}
WORKER = """
import sys
from atlas_dagster.warehouse import connect
from atlas_dagster_tests.subjects.support import erase
with connect(sys.argv[1]) as connection:
    erase(connection, sys.argv[2])
"""


@pytest.fixture
def streams(warehouse: PgConnection) -> list[Stream]:
    """Two streams that know Ann."""
    made = catalogued(warehouse, {"first": FIELDS, "second": FIELDS})
    for stream in made:
        create_landing(warehouse, stream)
        people = enumerate((ANN, BOB))
        land(
            warehouse,
            stream,
            [Version(f"{n}", at(1), {"id": n, "email": email}) for n, email in people],
        )
        build(warehouse, stream)
        found(warehouse, stream, ("email",))
    return made


LAYERS = ("explore", "chart", "navigate")


def state(connection: PgConnection, stream: Stream) -> list[list[str]]:
    return [
        [row["data"]["email"] if layer == "explore" else row["email"] for row in found_rows]
        for layer in LAYERS
        for found_rows in [rows(connection, stream, layer)]
    ]


def wait_until_awaited(
    guard: PgConnection, query: sql.Composed, worker: subprocess.Popen[str]
) -> None:
    while guard.execute(query).fetchone() is None:
        assert worker.poll() is None, worker.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("table", ["explore", "chart", "navigate"])
def test_kill_9_in_the_middle_leaves_each_stream_whole_or_erased(
    warehouse: PgConnection, warehouse_url: str, streams: list[Stream], table: str
) -> None:
    with connect(warehouse_url, autocommit=False) as guard:
        # Readers may pass; whoever changes the second stream's table has to wait.
        locked = sql.Identifier(table, "crm__second")
        guard.execute(sql.SQL("lock table {} in exclusive mode").format(locked))
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, warehouse_url, ANN],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until_awaited(
                warehouse,
                sql.SQL(
                    "select from pg_locks where relation = {}::regclass and not granted"
                ).format(sql.Literal(f"{table}.crm__second")),
                worker,
            )
        finally:
            worker.kill()
            worker.communicate()
    first, second = streams
    assert state(warehouse, first) == [["<erased>", BOB]] * 3
    lock_out(warehouse)
    assert state(warehouse, second) == [[ANN, BOB]] * 3
    audit = warehouse.execute("select streams, ended_at from pipeline.subject_action").fetchone()
    assert audit is not None
    assert (list(audit[0]), audit[1]) == (["crm/first"], None)
    erase(warehouse, ANN)
    assert places(warehouse, ANN) == []
    check_counts(warehouse)


def lock_out(connection: PgConnection) -> None:
    """Wait until the server has given up the transaction of the process that is gone."""
    with connection.transaction():
        for layer in LAYERS:
            lock_transaction(connection, f"{layer}/crm__second")


@pytest.mark.parametrize("layer", LAYERS)
def test_an_erasure_waits_for_the_builds_of_the_stream(
    warehouse: PgConnection, warehouse_url: str, streams: list[Stream], layer: str
) -> None:
    with (
        ThreadPoolExecutor() as pool,
        connect(warehouse_url) as builds,
        connect(warehouse_url) as erases,
    ):
        with builds.transaction():
            lock_transaction(builds, f"{layer}/crm__first")
            erasing = pool.submit(erase, erases, ANN)
            awaited = "select from pg_locks where locktype = 'advisory' and not granted"
            while warehouse.execute(awaited).fetchone() is None:
                assert not erasing.done(), erasing.result()
            assert state(warehouse, streams[0]) == [[ANN, BOB]] * 3
        erasing.result()
    assert places(warehouse, ANN) == []
