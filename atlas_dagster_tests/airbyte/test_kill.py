"""kill -9 of the process that syncs, at random instants: every record once, no process left."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from atlas_dagster_tests.airbyte import run_sync
from atlas_dagster_tests.airbyte.scripted import Source, table

TOTAL = 20_000
KILLS = 4


def start(source: Source, mode: str) -> subprocess.Popen[bytes]:
    project = str(source.settings.data_dir.parent)
    return subprocess.Popen(
        [sys.executable, str(Path(run_sync.__file__)), project, source.warehouse_url, mode]
    )


def landed(source: Source) -> int:
    if source.rows("select to_regclass('landing.numbers') is null") == [(True,)]:
        return 0
    return int(source.rows("select count(*) from landing.numbers")[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["append", "append_dedup"])
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_syncs_lose_and_double_nothing(source: Source, mode: str, seed: int) -> None:
    source.catalog(table("numbers", {"id": {"type": "integer"}}))
    source.scenario["count"] = {"total": TOTAL, "every": 7}
    source.write()
    chance = random.Random(seed)
    instants = sorted(chance.randrange(1, TOTAL // 2) for _ in range(KILLS))
    for instant in instants:
        process = start(source, mode)
        while landed(source) < instant and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        process.wait()
    connectors = [psutil.Process(pid) for pid in source.pids() if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(connectors, timeout=30)
    assert alive == []
    assert start(source, mode).wait() == 0
    assert list((source.settings.data_dir / "connectors" / "run" / "scripted").iterdir()) == []
    assert source.rows("select count(*), count(distinct id), max(id) from landing.numbers") == [
        (TOTAL, TOTAL, TOTAL)
    ]
    assert source.rows(
        "select status, failure from pipeline.sync order by job_id desc limit 2"
    ) == [("succeeded", None), ("failed", "the run that synced it died")]
    assert source.rows("select state from pipeline.connector_state order by version desc limit 1")[
        0
    ] == ({"last": TOTAL},)
    assert source.rows(
        "select max(count) <= 100 from (select count(*) from"
        " pipeline.connector_state group by name) t"
    ) == [(True,)]
