"""`atlas doctor`: each part fails for real, is named with what to do, and stops no other."""

from __future__ import annotations

import json
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import dagster as dg
import psycopg
import pytest
from dagster_postgres.utils import create_pg_engine
from psycopg import sql
from sqlalchemy import text

from atlas_dagster.cli_doctor import line
from atlas_dagster.doctor import database, machine, services
from atlas_dagster.doctor.probes import Finding, Probe, Verdict, examine, well, wrong
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import AirbyteServer, load_settings
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.conftest import database_url
from atlas_dagster_tests.doctor.looking import about, run
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble

NOBODY = "127.0.0.1:1"  # where nothing listens


def everything(project: Project, url: str) -> tuple[list[tuple[str, ...]], list[Path]]:
    """What lies in the database and in the project's directory."""
    with psycopg.connect(url) as client:
        relations = client.execute("select oid::regclass::text from pg_class order by 1").fetchall()
    return relations, sorted(project.root.rglob("*"))


def of_postgres() -> dict[str, Finding]:
    return {found.what: found for found in database.look_at_postgres(load_settings())}


@contextmanager
def saying_it_is(date: str) -> Iterator[str]:
    """The URL of a server whose answers have this header `Date`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", date)
            self.end_headers()

        def log_request(self, *_: object) -> None:
            pass  # on stderr else

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestAll:
    def test_of_a_project_that_works_nothing_fails(self, project: Project) -> None:
        with dg.DagsterInstance.from_config(str(project.root)):
            pass  # makes Dagster's tables
        code, lines = run()
        assert code == 0, lines
        assert {each.split()[0] for each in lines} <= {"ok", "warn"}
        assert about(lines, "encoding") == ["ok UTF8"]
        assert about(lines, "schema")[0].startswith("ok version ")
        assert about(lines, "clock") == ["ok within 5 s of PostgreSQL's"]
        assert about(lines, "config")[0].endswith("config/connections.yaml: valid")
        assert about(lines, "connector") == ["ok shop: airbyte-source-shop==1.0.0, Python unknown"]
        assert about(lines, "rights") == ["ok role postgres may do what runs do"]
        assert about(lines, "dagster") == [f"ok {project.root}: 0 runs"]
        assert about(lines, "daemon")[0].startswith("warn no sign of life: schedules, sensors")

    def test_nothing_is_made_by_looking(
        self, project: Project, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ATLAS_WAREHOUSE_URL", empty_database_url)
        before = everything(project, empty_database_url)
        code, lines = run()
        assert code == 0, lines
        assert about(lines, "schema") == ["ok none yet: the first run makes it"]
        made_later = f"ok {project.root}: no tables yet: the first start makes them"
        assert about(lines, "dagster") == [made_later]
        assert about(lines, "daemon") == []
        assert everything(project, empty_database_url) == before

    def test_what_is_wrong_stops_nothing_and_no_secret_shows(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = "a-secret-that-must-not-show"
        for name, value in {
            "ATLAS_WAREHOUSE_URL": f"postgresql://atlas:{secret}@{NOBODY}/atlas",
            "AIRBYTE_REST_API_BASE_URL": f"http://{NOBODY}/api/public/v1",
            "AIRBYTE_CONFIGURATION_API_BASE_URL": f"http://{NOBODY}/api/v1",
            "AIRBYTE_WORKSPACE_ID": "w",
            "AIRBYTE_CLIENT_ID": "someone",
            "AIRBYTE_CLIENT_SECRET": secret,
            "QALITA_BASE_URL": f"http://{NOBODY}",
            "QALITA_API_TOKEN": secret,
        }.items():
            monkeypatch.setenv(name, value)
        (project.root / "config" / "atlas.yaml").write_text("connections: {shop: {cron: 7}}")
        code, lines = run()
        assert code == 1
        failed = {each.split()[1] for each in lines if each.startswith("FAIL")}
        assert failed == {"config", "postgresql", "dagster", "airbyte", "qalita"}
        assert "FAIL PostgreSQL is not reachable" in about(lines, "postgresql")[0]
        assert "FAIL PostgreSQL is not reachable" in about(lines, "dagster")[0]
        assert "FAIL Airbyte at 127.0.0.1:1 is not reachable" in about(lines, "airbyte")[0]
        assert "version: QALITA at 127.0.0.1:1 is not reachable" in about(lines, "qalita")[0]
        assert secret not in "\n".join(lines)

    def test_a_wrong_variable_is_named(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://atlas:se%zzcret@host/db")
        code, lines = run()
        assert code == 1
        assert lines[0].startswith("FAIL  settings     ATLAS_WAREHOUSE_URL: not a URL that")
        assert "zz" not in lines[0]
        assert about(lines, "versions")

    def test_the_embedded_server_is_not_started_to_be_looked_at(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ATLAS_WAREHOUSE_URL")
        code, lines = run()
        assert code == 0
        assert about(lines, "postgresql")[0].startswith("warn the embedded server does not run")
        assert about(lines, "dagster")[0].startswith("warn its storage is the embedded")
        assert not (project.root / ".atlas" / "postgres").exists()

    def test_a_finding_is_one_line(self) -> None:
        assert line(wrong("config", "one\n  two")) == "FAIL  config       one two"


class TestProbes:
    def test_one_that_hangs_is_left_behind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, says nothing
            port = mute.getsockname()[1]
            settings = load_settings({"ATLAS_WAREHOUSE_URL": f"postgresql://127.0.0.1:{port}/db"})
            hanging = Probe("postgresql", lambda: database.look_at_postgres(settings))
            next_one = Probe("next", lambda: iter([well("next", "looked at")]))
            started = time.monotonic()
            found = list(examine([hanging, next_one], 0.5))
        assert found == [
            wrong("postgresql", "no answer within 0.5 s"),
            well("next", "looked at"),
        ]
        assert time.monotonic() - started < 10

    def test_what_was_found_before_an_error_counts(self) -> None:
        def look() -> Iterator[Finding]:
            yield well("it", "one")
            raise ConfigError("two")

        assert list(examine([Probe("it", look)], 5)) == [well("it", "one"), wrong("it", "two")]

    def test_an_error_of_ours_is_named_without_its_text(self) -> None:
        def look() -> Iterator[Finding]:
            raise KeyError("secret")

        (found,) = examine([Probe("it", look)], 5)
        assert found.text.startswith("the probe failed: KeyError at ")
        assert "secret" not in found.text

    def test_what_a_server_or_the_system_refuses_is_a_sentence(
        self, warehouse_url: str, tmp_path: Path
    ) -> None:
        def by_sqlalchemy() -> Iterator[Finding]:
            engine = create_pg_engine(warehouse_url.replace("postgresql", "postgresql+psycopg2"))
            with engine.connect() as connection:
                connection.execute(text("create table nowhere.runs ()"))
            yield well("it", "done")

        def by_psycopg() -> Iterator[Finding]:
            with psycopg.connect(warehouse_url) as connection:
                connection.execute("create table nowhere.runs ()")
            yield well("it", "done")

        def by_system() -> Iterator[Finding]:
            yield well("it", (tmp_path / "nothing").read_text())

        found = examine([Probe("it", look) for look in (by_sqlalchemy, by_psycopg, by_system)], 5)
        assert list(found) == [
            wrong("it", 'PostgreSQL refuses it: schema "nowhere" does not exist'),
            wrong("it", 'PostgreSQL refuses it: schema "nowhere" does not exist'),
            wrong("it", f"{tmp_path / 'nothing'}: No such file or directory"),
        ]


class TestPostgres:
    def test_an_encoding_that_is_not_utf8(
        self, project: Project, postgres: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = f"atlas_test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(
                sql.SQL(
                    "create database {} encoding 'LATIN1' template template0 locale 'C'"
                    " locale_provider libc"
                ).format(sql.Identifier(name))
            )
            try:
                monkeypatch.setenv("ATLAS_WAREHOUSE_URL", database_url(postgres, name))
                found = of_postgres()
            finally:
                connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
        assert found["encoding"].verdict is Verdict.FAIL
        assert found["encoding"].text.startswith("LATIN1: texts of other scripts do not fit")
        assert found["schema"] == well("schema", "none yet: the first run makes it")

    def test_a_database_of_another_version(self, project: Project, warehouse: PgConnection) -> None:
        warehouse.execute(
            "delete from pipeline.schema_version"
            " where version = (select max(version) from pipeline.schema_version)"
        )
        assert of_postgres()["schema"].verdict is Verdict.WARN
        warehouse.execute("insert into pipeline.schema_version values (999, 'later')")
        found = of_postgres()
        assert found["schema"].verdict is Verdict.FAIL
        assert found["schema"].text.endswith("; upgrade Atlas")
        assert found["connections"].verdict is Verdict.OK

    def test_connections_that_are_about_to_run_out(
        self, project: Project, warehouse: PgConnection, warehouse_url: str
    ) -> None:
        row = warehouse.execute("show max_connections").fetchone()
        assert row is not None
        with ExitStack() as stack:
            for _ in range(int(row[0])):
                used = of_postgres()["connections"]
                if used.verdict is Verdict.FAIL:
                    break
                for _ in range(4 if used.verdict is Verdict.OK else 1):
                    stack.enter_context(psycopg.connect(warehouse_url))
            assert used.verdict is Verdict.FAIL
        assert used.text.endswith("in use; raise max_connections, or end idle ones")

    def test_a_server_for_sessions_that_does_not_answer(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "session" not in of_postgres()
        monkeypatch.setenv("ATLAS_WAREHOUSE_SESSION_URL", f"postgresql://{NOBODY}/atlas")
        found = of_postgres()["session"]
        assert found.verdict is Verdict.FAIL
        assert found.text.startswith("PostgreSQL is not reachable")

    def test_a_role_that_may_not(
        self,
        project: Project,
        warehouse: PgConnection,
        warehouse_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if os.environ.get("ATLAS_TEST_POSTGRES_URL"):
            pytest.skip("a role without a password signs in to a server of the tests' own alone")
        role = f"atlas_test_{uuid.uuid4().hex[:12]}"
        warehouse.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        try:
            url = warehouse_url.replace("postgres@", f"{role}@")
            monkeypatch.setenv("ATLAS_WAREHOUSE_URL", url)
            rights = [f for f in database.look_at_postgres(load_settings()) if f.what == "rights"]
        finally:
            warehouse.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
        assert {found.verdict for found in rights} == {Verdict.FAIL}
        assert f"role {role} lacks CREATE on database" in rights[0].text
        assert re.match(r"others own what Atlas made: \d+ objects, as pipeline\.", rights[1].text)
        assert all(f"atlas roles create --writer {role}" in found.text for found in rights)

    @pytest.mark.parametrize(
        ("ahead", "verdict", "said"),
        [
            (0, Verdict.OK, "within 5 s"),
            (20, Verdict.WARN, "is 20 s ahead of PostgreSQL's"),
            (-7200, Verdict.FAIL, "is 7,200 s behind PostgreSQL's"),
        ],
    )
    def test_a_clock_that_is_wrong(
        self,
        warehouse_url: str,
        monkeypatch: pytest.MonkeyPatch,
        ahead: float,
        verdict: Verdict,
        said: str,
    ) -> None:
        now = time.time
        with connect(warehouse_url) as connection:
            monkeypatch.setattr(time, "time", lambda: now() + ahead)
            found = database.look_at_clock(connection)
        assert found.verdict is verdict
        assert said in found.text


class TestMachine:
    def test_a_package_that_is_missing_or_too_old(self) -> None:
        needed = ["dagster>=99", "no-such-package-of-anyone>=1", "no-such-either; extra == 'dev'"]
        *failed, told = machine.look_at_versions(None, needed)
        assert [found.text.partition(":")[0] for found in failed] == [
            f"dagster {machine.metadata.version('dagster')}",
            "no-such-package-of-anyone is not installed",
        ]
        assert told.text.endswith("NER: not active")

    def test_a_connector_that_is_not_installed_or_damaged(self, project: Project) -> None:
        (executable,) = project.root.glob(".atlas/connectors/*/bin/source-shop")
        executable.unlink()
        (found,) = machine.look_at_connectors(load_settings())
        assert found.verdict is Verdict.FAIL
        assert "has no executable source-shop" in found.text
        (executable.parents[1] / ".atlas-installed").unlink()
        (found,) = machine.look_at_connectors(load_settings())
        assert found.verdict is Verdict.WARN
        assert found.text.endswith("is not installed: the first sync does so")

    def test_a_disk_that_is_full(self, project: Project) -> None:
        settings = load_settings()
        (tight,) = machine.look_at_disks(settings, tight=2**62, full=1)
        (full,) = machine.look_at_disks(settings, tight=2**62, full=2**62)
        assert (tight.verdict, full.verdict) == (Verdict.WARN, Verdict.FAIL)
        assert str(settings.data_dir) in full.text

    @pytest.mark.parametrize("below", ["/proc/x", "/dev/null/x"])
    def test_a_directory_that_cannot_be_made(
        self, project: Project, monkeypatch: pytest.MonkeyPatch, below: str
    ) -> None:
        monkeypatch.setenv("ATLAS_DATA_DIR", below)
        (found,) = machine.look_at_disks(load_settings())
        assert found.verdict is Verdict.FAIL
        assert found.text.startswith(f"{below}: ")
        assert found.text.endswith("; name another in ATLAS_DATA_DIR")


class TestServices:
    @pytest.mark.parametrize(
        ("home", "said"),
        [
            (None, "DAGSTER_HOME: not set"),
            ("here", "DAGSTER_HOME: expected an absolute path, found 'here'"),
            ("/nowhere", "DAGSTER_HOME: /nowhere has no dagster.yaml"),
        ],
    )
    def test_a_home_that_is_none(self, project: Project, home: str | None, said: str) -> None:
        environ = {"DAGSTER_HOME": home} if home else {}
        (found,) = services.look_at_dagster(load_settings(), environ)
        assert found.verdict is Verdict.FAIL
        assert found.text.startswith(said)

    def test_airbyte_is_signed_in_to(
        self, project: Project, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        airbyte_server.credentials = ("someone", "a secret")
        for name, value in environment(airbyte_server).items():
            monkeypatch.setenv(name, value)
        server = load_settings().airbyte
        assert server
        found = list(services.look_at_airbyte(server))
        assert [each.verdict for each in found] == [Verdict.OK, Verdict.OK]
        now = time.time
        ahead = SimpleNamespace(time=lambda: now() + 30)  # the server of the test has its own
        monkeypatch.setattr(services, "time", ahead)
        assert list(services.look_at_airbyte(server))[1].verdict is Verdict.WARN

    @pytest.mark.parametrize(
        ("date", "verdict", "said"),
        [
            ("Tue, 01 Dec 2026 12:00:00 GMT", Verdict.OK, "within 5 s of Airbyte's"),
            ("Tue, 01 Dec 2026 12:00:00 -0000", Verdict.OK, "within 5 s of Airbyte's"),
            ("Tue, 01 Dec 2026 13:00:00 +0100", Verdict.OK, "within 5 s of Airbyte's"),
            ("soon", Verdict.WARN, "its clock is not known: it gave no header Date"),
        ],
    )
    def test_airbytes_clock_is_told_in_any_zone(
        self, monkeypatch: pytest.MonkeyPatch, date: str, verdict: Verdict, said: str
    ) -> None:
        noon = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
        monkeypatch.setattr(services, "time", SimpleNamespace(time=noon.timestamp))
        with saying_it_is(date) as url:
            found = services._airbyte_clock(AirbyteServer(url, url, "w"))
        assert found
        assert found.verdict is verdict
        assert said in found.text

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("AIRBYTE_CLIENT_SECRET", "Airbyte refuses AIRBYTE_CLIENT_ID"),
            ("AIRBYTE_WORKSPACE_ID", "shows no workspace another"),
        ],
    )
    def test_airbyte_refuses(
        self,
        project: Project,
        airbyte_server: AirbyteDouble,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        said: str,
    ) -> None:
        airbyte_server.credentials = ("someone", "a secret")
        for variable, value in {**environment(airbyte_server), name: "another"}.items():
            monkeypatch.setenv(variable, value)
        server = load_settings().airbyte
        assert server
        (found,) = examine([Probe("airbyte", lambda: services.look_at_airbyte(server))], 30)
        assert found.verdict is Verdict.FAIL
        assert said in found.text

    def test_qalita_is_looked_at_where_it_is_set(
        self, project: Project, qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert list(services.look_at_qalita(load_settings())) == []
        add_target(qalita_server)
        monkeypatch.setenv("QALITA_BASE_URL", qalita_server.url)
        monkeypatch.setenv("QALITA_API_TOKEN", API_TOKEN)
        (project.root / "config" / "qalita.json").write_text(
            json.dumps({"default": {"source_id": 1, "pack_id": 1}})
        )
        found = list(services.look_at_qalita(load_settings()))
        assert {each.verdict for each in found} == {Verdict.OK}
        monkeypatch.setenv("QALITA_API_TOKEN", "another")
        found = list(services.look_at_qalita(load_settings()))
        assert found[-1] == wrong("qalita", "sign-in: QALITA refuses QALITA_API_TOKEN")
