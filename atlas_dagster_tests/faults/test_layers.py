"""Builds of the layers that are killed, or that run side by side, end in the same rows."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from atlas_dagster.config import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import build, create_landing, land, rows
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
        kill_at_work(worker, steps=chance.randrange(1, 5), seconds=chance.random() * 0.15)
    build(warehouse, STREAM)
    check_layers(warehouse, versions)


def test_builds_side_by_side_wait_for_each_other_and_agree(
    warehouse: PgConnection, warehouse_url: str
) -> None:
    versions = crowd(99, KEYS, DAYS)
    create_landing(warehouse, STREAM)
    pieces = list(batches(versions, 99, count=4))
    land(warehouse, STREAM, pieces[0])
    workers = [start_worker(warehouse_url, seed, rounds=5) for seed in range(8)]
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
    check_layers(warehouse, versions)


def check_layers(connection: PgConnection, versions: Sequence[Version]) -> None:
    raw_ids = sorted(version.raw_id for version in versions)
    for layer in ("explore", "chart"):
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


def start_worker(url: str, seed: int, rounds: int) -> subprocess.Popen[str]:
    module = "atlas_dagster_tests.faults.layer_worker"
    return subprocess.Popen(
        [sys.executable, "-m", module, url, str(seed), str(DAYS), str(rounds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_at_work(worker: subprocess.Popen[str], steps: int, seconds: float) -> None:
    """SIGKILL, so many seconds into the step that comes after so many others."""
    assert worker.stdout is not None
    try:
        for _ in range(steps):
            assert worker.stdout.readline(), worker.communicate()[1]
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(timeout=seconds)
    finally:
        worker.kill()
        worker.communicate()
    assert worker.returncode == -signal.SIGKILL
