"""Senders to QALITA that are killed at random instants, and several of them at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

import pytest

from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.faults.test_layers import interrupt_at_work
from atlas_dagster_tests.qalita.publishing import check_once, send_all, settle, states, write
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import QalitaDouble

pytestmark = pytest.mark.slow


def start_worker(database_url: str, double: QalitaDouble) -> subprocess.Popen[str]:
    module = "atlas_dagster_tests.faults.qalita_worker"
    return subprocess.Popen(
        [sys.executable, "-m", module, database_url, double.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seed", range(3))
def test_senders_killed_at_random_instants_lose_and_double_nothing(
    warehouse: PgConnection, warehouse_url: str, qalita_server: QalitaDouble, seed: int
) -> None:
    add_target(qalita_server)
    chance = random.Random(seed)
    keys = [f"event-{number}" for number in range(400)]
    write(warehouse, *keys)
    for _ in range(6):
        settle(warehouse)
        worker = start_worker(warehouse_url, qalita_server)
        interrupt_at_work(worker, worker.kill, steps=1, seconds=chance.random() * 0.3)
        assert worker.returncode == -signal.SIGKILL
        qalita_server.rest()
    assert "done" in states(warehouse).values()
    send_all(warehouse, qalita_server)
    check_once(qalita_server, *keys)


def test_senders_side_by_side_double_nothing_when_all_are_killed(
    warehouse: PgConnection, warehouse_url: str, qalita_server: QalitaDouble
) -> None:
    add_target(qalita_server)
    keys = [f"event-{number}" for number in range(300)]
    write(warehouse, *keys)
    workers = [start_worker(warehouse_url, qalita_server) for _ in range(3)]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "round\n"
        interrupt_at_work(workers[0], workers[0].kill, steps=0, seconds=0.5)
        interrupt_at_work(workers[1], workers[1].kill, steps=0, seconds=0.5)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    qalita_server.rest()
    send_all(warehouse, qalita_server)
    check_once(qalita_server, *keys)
