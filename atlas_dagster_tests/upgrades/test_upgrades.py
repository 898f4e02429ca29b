"""A warehouse that an older Atlas made is brought up, and goes on as if nothing had happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from atlas_dagster import warehouse as warehouse_module
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.warehouse import connect, migrate
from atlas_dagster_tests.airbyte import scripted
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project, connection, day, noon, user

pytestmark = pytest.mark.slow

DUMP = Path(__file__).parent / "version_09.sql"
VERSION = 9
ORDERS = scripted.table(
    "orders",
    {"id": {"type": "integer"}, "mail": {"type": "string"}, "total": {"type": "number"}},
)
STATE = "select name, state from pipeline.connector_state order by version desc, name limit 2"


@pytest.fixture
def project(tmp_path: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project of the dump, on a database that holds it."""
    project = Project(tmp_path, empty_database_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    append = {"name": "orders", "destination_sync_mode": "append", "primary_key": "id"}
    project.connect({"shop": connection("shop", ["users", append])})
    with connect(empty_database_url) as connection_:
        connection_.execute("set check_function_bodies = off")
        connection_.execute(DUMP.read_bytes())
    return project


def history(project: Project, stream: str) -> list[tuple[Any, ...]]:
    return project.rows(
        "select _atlas_surrogate_key, _atlas_natural_key, _atlas_valid_from, _atlas_valid_to,"
        " _atlas_row_hash, _airbyte_raw_id"
        f" from navigate.shop__{stream} order by _atlas_natural_key, _atlas_valid_from"
    )


def test_a_warehouse_of_version_9_goes_on(project: Project) -> None:
    known = warehouse_module._migrations()
    before = {stream: history(project, stream) for stream in ("users", "orders")}
    assert [len(rows) for rows in before.values()] == [3, 3]
    state = project.rows(STATE)
    with connect(project.warehouse_url) as client:
        assert migrate(client) == [each.name for each in known[VERSION:]]
        assert migrate(client) == []
    checksums = project.rows("select checksum from pipeline.schema_version order by version")
    assert [sum_ is None for (sum_,) in checksums] == [n < VERSION for n in range(len(known))]
    assert {stream: history(project, stream) for stream in before} == before

    shop = project.install("shop", USERS, ORDERS)
    order = {"id": 3, "mail": "cleo@example.com", "total": 1}
    shop.say(user(2, "Bent", day()), scripted.record("orders", order, at=noon(day())))
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_code_location().resolve_job_def("shop")
        assert job.execute_in_process(instance=instance, partition_key=day()).success
    seen = json.loads((shop.home / "seen_state.json").read_text())
    told = [(s["stream"]["stream_descriptor"]["name"], s["stream"]["stream_state"]) for s in seen]
    assert sorted(told) == sorted(state) == [("orders", {"seen": 3}), ("users", {"seen": 3})]
    users, orders = history(project, "users"), history(project, "orders")
    assert users[:2] == before["users"][:2]
    ben = before["users"][2]
    assert [row[0] for row in users[2:3]] == [ben[0]]
    assert [row[3] is None for row in users] == [False, True, False, True]
    assert orders[:3] == before["orders"]
    assert len(orders) == 4
