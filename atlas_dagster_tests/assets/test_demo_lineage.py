"""The events that the demo writes of its own runs, and where it leaves that to the sensor."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.demo_lineage import write_demo_lineage
from atlas_dagster.lineage import sending
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project, day, user
from atlas_dagster_tests.lineage.backend import line
from atlas_dagster_tests.lineage.environment import clear
from atlas_dagster_tests.lineage.spec import mistakes

pytestmark = pytest.mark.slow


def test_its_own_runs_are_in_a_file_and_no_others(
    project: Project,
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clear(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    project.with_connection("shop", USERS).say(user(1, "Anna", day()))
    for tags in ({"atlas/demo": "d-1"}, {}):
        job = build_code_location().resolve_job_def("shop_sync")
        assert job.execute_in_process(instance=instance, tags=tags).success
    file = project.root / ".atlas" / "openlineage.jsonl"
    for _ in range(2):  # as where the demo is run again
        assert write_demo_lineage(load_settings(), instance, "d-1") == (file, 4)
        events = [json.loads(text) for text in file.read_text().splitlines()]
        assert list(map(line, events)) == [
            "START shop_sync",
            "START shop.users.sync",
            "COMPLETE shop.users.sync",
            "COMPLETE shop_sync",
        ]
        assert [found for event in events for found in mistakes(event)] == []
    slow = itertools.count(time.monotonic(), 100.0)
    monkeypatch.setattr(sending, "monotonic", lambda: next(slow))
    assert write_demo_lineage(load_settings(), instance, "d-1") == (file, 4), (
        "however long it takes"
    )
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    assert write_demo_lineage(load_settings(), instance, "d-1") is None
