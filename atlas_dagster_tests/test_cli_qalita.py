"""`atlas qalita`, as an operator types it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atlas_dagster.cli_qalita import qalita
from atlas_dagster.errors import AtlasError
from atlas_dagster.qalita.sandbox.wire import detail
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.qalita.publishing import mapping, send, states, write
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble


@pytest.fixture(autouse=True)
def project(
    tmp_path: Path,
    warehouse_url: str,
    qalita_server: QalitaDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    for name in os.environ:
        if "QALITA" in name:
            monkeypatch.delenv(name)
    project = Project(tmp_path, warehouse_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QALITA_URL", qalita_server.url)
    monkeypatch.setenv("QALITA_TOKEN", API_TOKEN)
    project.with_connection("shop", USERS)
    add_target(qalita_server)
    return project


def run(*arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(qalita, arguments, catch_exceptions=False)
    return result.exit_code, result.output.splitlines()


def map_to(project: Project, **content: Any) -> None:
    (project.root / "config" / "qalita.json").write_text(json.dumps(content))


class TestDoctor:
    def test_all_is_well(self, project: Project, qalita_server: QalitaDouble) -> None:
        map_to(project, connection_map={"shop": {"source_id": 1, "pack_id": 1}})
        code, lines = run("doctor")
        where = f"{project.root}/config/qalita.json"
        assert lines == [
            f"version  ok     QALITA 3.2.1 at {qalita_server.url}",
            "sign-in  ok     QALITA_TOKEN: 1 sources and 1 packs are visible",
            f"source   ok     {where}:1: connection_map.shop: 1 (orders)",
            f"pack     ok     {where}:1: connection_map.shop: 1, version 1",
            f"mapping  ok     {where}: covers all 1 streams",
        ]
        assert code == 0

    def test_a_platform_that_does_not_answer_is_all_that_is_said(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QALITA_URL", "http://127.0.0.1:1")
        code, (line,) = run("doctor")
        assert line.startswith("version  WRONG  QALITA at 127.0.0.1:1 is not reachable")
        assert code == 1

    def test_a_wrong_token_is_named(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QALITA_TOKEN", "another")
        code, lines = run("doctor")
        assert lines[1:] == ["sign-in  WRONG  QALITA refuses QALITA_TOKEN"]
        assert code == 1

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ({"source_id": 9, "pack_id": 1}, "source   WRONG .*source_id: QALITA has no source 9"),
            ({"source_id": 1, "pack_id": 9}, "pack     WRONG .*pack_id: QALITA has no pack 9"),
            (
                {"source_id": 1, "pack_id": 1, "pack_version_id": 7},
                "pack     WRONG .*no version 7 of pack 1",
            ),
        ],
    )
    def test_ids_that_do_not_resolve_are_named(
        self, project: Project, entry: dict[str, int], said: str
    ) -> None:
        map_to(project, default=entry)
        code, lines = run("doctor")
        assert code == 1
        assert any(re.match(said, line) for line in lines), lines

    def test_streams_that_go_nowhere_and_entries_of_nothing_are_named(
        self, project: Project
    ) -> None:
        map_to(project, connection_map={"shpo": {"source_id": 1, "pack_id": 1}})
        code, lines = run("doctor")
        assert code == 1
        assert [line.partition("qalita.json")[2] for line in lines[2:]] == [
            ": nothing says where to publish shop/users",
            ": connection_map.shpo is no connection or stream",
        ]

    def test_a_source_that_will_be_published_is_said_and_not_published(
        self, project: Project, qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        map_to(project, default={"pack_id": 1})
        assert run("doctor")[0] == 1
        monkeypatch.setenv("ATLAS_QALITA_PROVISION", "true")
        code, lines = run("doctor")
        assert code == 0
        assert (
            "source   ok     shop (airbyte) is not there yet: the first delivery publishes it"
            in lines
        )
        assert len(qalita_server.ledger.rows("sources")) == 1

    def test_without_a_platform_it_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("QALITA_URL")
        monkeypatch.delenv("QALITA_TOKEN")
        with pytest.raises(AtlasError, match="QALITA_BASE_URL: not set"):
            run("doctor")


class TestDeliveries:
    def test_nothing_was_ever_delivered(self) -> None:
        assert run("deliveries") == (0, ["deliveries: 0 done, 0 open, 0 in doubt, 0 parked"])

    def test_what_waits_and_what_was_refused_is_shown_with_its_reason(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        write(warehouse, "one", "two", "three")
        qalita_server.misbehave("create", detail(422, "no", X_Request_ID="r-7"))
        send(warehouse, qalita_server)
        write(warehouse, "four")
        code, lines = run("deliveries")
        assert code == 0
        assert [" ".join(line.split()) for line in lines] == [
            "id delivery state tries reason",
            "1 one parked QALITA answered 422 to POST /api/v2/jobs/create: no (request r-7)",
            "4 four open 0",
            "deliveries: 2 done, 1 open, 0 in doubt, 1 parked",
        ]


class TestReplay:
    def test_refused_deliveries_are_due_again(
        self, warehouse: PgConnection, qalita_server: QalitaDouble
    ) -> None:
        assert run("replay") == (0, ["no delivery is refused"])
        write(warehouse, "one", "two")
        qalita_server.misbehave("create", detail(422, "no"), times=2)
        send(warehouse, qalita_server)
        with pytest.raises(AtlasError, match="no refused delivery 7, 8; see"):
            run("replay", "1", "7", "8")
        assert run("replay", "2") == (
            0,
            ["1 delivery is due again: the sensor qalita sends what is due"],
        )
        assert states(warehouse) == {"one": "parked", "two": "open"}
        run("replay")
        send(warehouse, qalita_server, mapping())
        assert set(states(warehouse).values()) == {"done"}
