"""A backup by pg_dump, restored into a fresh database: the next run does what it would have."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from atlas_dagster import embedded_postgres
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import USERS, state
from atlas_dagster_tests.conftest import database_url
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    user,
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Place:
    """A project in a directory of its own, its warehouse, and its connector."""

    project: Project
    shop: ScriptedConnector

    def run(self, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in self.project.variables.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.from_config(str(self.project.root)) as instance:
            partition = None if job.endswith("_sync") else day()
            done = build_code_location().resolve_job_def(job)
            assert done.execute_in_process(instance=instance, partition_key=partition).success


def place(root: Path, url: str) -> Place:
    """What an operator keeps of a project: config/, dagster.yaml. Nothing of .atlas/."""
    root.mkdir()
    project = Project(root, url)
    project.copy_dagster_files()
    append = {"name": "users", "destination_sync_mode": "append", "primary_key": "id"}
    project.connect({"shop": connection("shop", [append])})
    return Place(project, project.install("shop", USERS))


@pytest.fixture
def fresh_database(postgres: str) -> Iterator[str]:
    name = f"atlas_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        yield database_url(postgres, name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def program(name: str, *arguments: str) -> None:
    """One of PostgreSQL's own: those that came with the embedded server, else those on the path."""
    found = embedded_postgres.binaries() / name
    command = str(found) if found.is_file() else shutil.which(name)
    assert command
    subprocess.run([command, *arguments], check=True)


def history(project: Project) -> list[tuple[Any, ...]]:
    """navigate without what names a run or a delivery."""
    columns = project.rows(
        "select string_agg(quote_ident(column_name), ', ' order by ordinal_position)"
        " from information_schema.columns where table_schema = 'navigate'"
        " and table_name = 'shop__users'"
        " and column_name not in ('_atlas_run_id', '_airbyte_raw_id')"
    )
    return project.rows(f"select {columns[0][0]} from navigate.shop__users order by 1, 2, 3")


def test_a_restored_warehouse_goes_on_as_the_one_that_was_backed_up(
    tmp_path: Path,
    empty_database_url: str,
    fresh_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = place(tmp_path / "first", empty_database_url)
    first.shop.say(user(1, "Anna", day()), user(2, "Ben", day()), state("users", {"seen": 2}))
    first.run("shop", monkeypatch)
    first.shop.say(user(3, "Cleo", day()), state("users", {"seen": 3}))
    first.run("shop_sync", monkeypatch)  # she lies in landing alone when the backup is made
    runs = first.project.rows("select run_id, status from runs order by 1")
    assert len(runs) == 2

    dump = tmp_path / "atlas.dump"
    program("pg_dump", "--format=custom", f"--file={dump}", empty_database_url)
    program("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={fresh_database}", str(dump))
    second = place(tmp_path / "second", fresh_database)
    assert second.project.rows("select run_id, status from runs order by 1") == runs
    # Oids are given anew: one may be, by chance, what the table had where it came from.
    with psycopg.connect(fresh_database) as client:
        client.execute(
            "update pipeline.explore_progress"
            " set landing = 'landing.shop__users'::regclass::oid, snapshot = pg_current_snapshot()"
        )
        # And the backup may have been made while a sync was running.
        client.execute(
            "update pipeline.sync set status = 'running', ended_at = null, snapshot_at = null"
            " where job_id = (select max(job_id) from pipeline.sync)"
        )
    for each in (first, second):
        bent = user(2, "Bent", day())
        bent["say"]["record"]["emitted_at"] += 1000
        each.shop.say(bent, state("users", {"seen": 4}))
        each.run("shop", monkeypatch)
        (seen,) = json.loads((each.shop.home / "seen_state.json").read_text())
        assert seen["stream"]["stream_state"] == {"seen": 3}
    assert len(history(first.project)) == 4
    assert history(second.project) == history(first.project)
    kept = "select name, version, state from pipeline.connector_state order by 1, 2"
    assert second.project.rows(kept) == first.project.rows(kept)
    assert len(second.project.rows("select run_id from runs")) == 3
    syncs = "select status from pipeline.sync order by job_id"
    assert [each for (each,) in second.project.rows(syncs)] == ["succeeded", "failed", "succeeded"]
