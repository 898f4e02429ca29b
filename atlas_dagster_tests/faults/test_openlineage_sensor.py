"""The sensor `openlineage` killed before and after each event: all arrive, with the same ids."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from openlineage.client import OpenLineageClient

from atlas_dagster.assets import run_ends
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.openlineage_support import Teller
from atlas_dagster_tests.faults.killed_ticks import tick_and_die
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.integration.project import Project, connection
from atlas_dagster_tests.lineage.backend import Backend, line
from atlas_dagster_tests.lineage.environment import clear

pytestmark = pytest.mark.slow

STEPS = [(OpenLineageClient, "emit")]
EVENTS = [
    "START __ephemeral_asset_job__",
    "START shop.users.chart",
    "COMPLETE shop.users.chart",
    "COMPLETE __ephemeral_asset_job__",
]


@pytest.fixture
def teller(tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Teller]:
    clear(monkeypatch)
    project = Project(tmp_path, warehouse_url)
    project.connect({"shop": connection("shop", ["users"])})
    with running(Backend()) as backend, dg.DagsterInstance.ephemeral() as instance:
        named = {"HOME": str(tmp_path), "OPENLINEAGE_URL": backend.address}
        for name, value in {**project.variables, **named}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
        yield Teller(Daemon(instance, "openlineage"), backend)


def test_killed_between_an_event_and_the_cursor_each_arrives_under_the_id_that_it_had(
    teller: Teller,
) -> None:
    teller.build("chart/shop/users")
    steps = itertools.takewhile(
        lambda step: tick_and_die(teller.daemon, STEPS, step), itertools.count()
    )
    assert len(list(steps)) == 2 * len(EVENTS)
    assert teller.tick() == "4 events sent"
    ids: dict[str, set[str]] = defaultdict(set)
    for event in teller.backend.events:
        ids[line(event)].add(event["run"]["runId"])
    assert sorted(ids) == sorted(EVENTS)
    assert all(len(found) == 1 for found in ids.values())
    assert len(teller.backend.events) > len(EVENTS), "some came again"
    assert teller.tick() == "nothing new"
