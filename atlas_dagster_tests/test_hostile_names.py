"""Names written to break out of SQL, YAML or JSON, through all that Atlas does with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from psycopg.rows import dict_row
from typing_extensions import LiteralString

from atlas_dagster.assets import run_ends
from atlas_dagster.cli_pii import pii
from atlas_dagster.cli_retention import retention
from atlas_dagster.cli_roles import roles
from atlas_dagster.cli_subject import subject
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.metrics.definitions import DefinitionsReader
from atlas_dagster.metrics.scrape import Scraper
from atlas_dagster.names import bounded_identifier
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import record, table
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.integration.project import Project, connection, day, noon
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble

pytestmark = pytest.mark.slow

DROP = "drop table canary; --"
CONNECTION = f"cr\"m'; {DROP} %s $$ 😀"
NAMESPACE = f"lan\"ding'; {DROP}"
KEY = f"k'\"; {DROP}"
MAIL = f"e-mail'\"); {DROP}"
STREAMS = (
    f'select "; {DROP}',
    f"'); {DROP} $$ \\ %s %(x)s {{0}}\nfrom 表 😀",
    "_atlas_" + "x" * 120,
)
COLUMNS = [
    *(f'"; {DROP}', f"'; {DROP}", f"$$; {DROP}", f"\\'; {DROP}", f"*/ {DROP}"),
    *(
        "%",
        "%s",
        "%(x)s",
        "{}",
        "{0}",
        "$1",
        "$$",
        "a\nb",
        "a\tb",
        "\\",
        "\\n",
        "😀",
        "表",
        "\u202e",
    ),
    *("select", "user", "table", "null", "true", "_atlas_natural_key", "_atlas_valid_to"),
    *(
        "_airbyte_raw_id",
        "xmin",
        "x" * 63,
        "x" * 64,
        "é" * 40,
        "data",
        " ",
        ".",
        "a.b",
        "a[]",
        ":x",
    ),
]


@dataclass(frozen=True)
class World:
    """The project after two syncs, both built."""

    project: Project
    tables: dict[str, str]  # by stream
    qalita: QalitaDouble

    def ask(self, statement: str | sql.Composed, *parameters: Any) -> list[dict[str, Any]]:
        with (
            psycopg.connect(self.project.warehouse_url) as client,
            client.cursor(row_factory=dict_row) as cursor,
        ):
            query = statement.encode() if isinstance(statement, str) else statement
            return cursor.execute(query, parameters or None).fetchall()

    def read(self, schema: str, relation: str, call: LiteralString = "") -> list[dict[str, Any]]:
        return self.ask(
            sql.SQL("select * from {}{}").format(sql.Identifier(schema, relation), sql.SQL(call))
        )


def row(number: int, mail: str) -> dict[str, Any]:
    return {
        KEY: f"key {number}",
        MAIL: mail,
        **{name: f"{number} in {position}" for position, name in enumerate(COLUMNS)},
    }


@pytest.fixture
def world(
    tmp_path: Path,
    warehouse_url: str,
    qalita_server: QalitaDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    add_target(qalita_server, "warehouse")
    more = {"QALITA_BASE_URL": qalita_server.url, "QALITA_API_TOKEN": API_TOKEN}
    project = Project(tmp_path, warehouse_url, more)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    rules = {"pii": {"default": "mask"}, "streams": {n: {"retention_days": 1} for n in STREAMS}}
    project.connect(
        {CONNECTION: connection("x", STREAMS, namespace=NAMESPACE)}, **{CONNECTION: rules}
    )
    (tmp_path / "config" / "qalita.json").write_text(
        json.dumps({"default": {"source_id": 1, "pack_id": 1}})
    )
    text = {"type": "string"}
    properties = {KEY: text, MAIL: text, **dict.fromkeys(COLUMNS, text)}
    source = project.install("x", *(table(name, properties, key=KEY) for name in STREAMS))
    with psycopg.connect(warehouse_url, autocommit=True) as client:
        client.execute("create table canary as select 1 as alive")
    with dg.DagsterInstance.ephemeral() as instance:
        sensor = Daemon(instance, "qalita")
        for on, mails in ((day(5), ("ann@example.com", "bob@example.com")), (day(), ("a@x.org",))):
            rows = [row(number, mail) for number, mail in enumerate(mails)]
            source.say(*(record(n, r, at=noon(on)) for n in STREAMS for r in rows))
            (job,) = (
                each.name
                for each in build_code_location().resolve_all_job_defs()
                if each.name.endswith("_sync")
            )
            run(instance, job, None)
            run(instance, job.removesuffix("_sync") + "_layers", on)
        sensor.tick_until_quiet()
    with psycopg.connect(warehouse_url) as client:
        found = client.execute("select name, table_name from pipeline.stream").fetchall()
    yield World(project, dict(found), qalita_server)
    with psycopg.connect(warehouse_url) as client:
        assert client.execute("select alive from canary").fetchall() == [(1,)]


def run(instance: dg.DagsterInstance, job: str, partition: str | None) -> None:
    done = build_code_location().resolve_job_def(job)
    assert done.execute_in_process(instance=instance, partition_key=partition).success


def cli(command: Any, *arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(command, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def values(rows: Sequence[dict[str, Any]]) -> set[str]:
    return {value for each in rows for value in each.values() if isinstance(value, str)}


def test_hostile_names_go_through_all_and_break_out_of_nothing(world: World) -> None:
    assert set(world.tables) == set(STREAMS)
    expected = {f"0 in {n}" for n in range(len(COLUMNS))} | {"key 0"}
    for name in STREAMS:
        known = world.tables[name]
        assert expected <= values(world.read("chart", known))
        assert expected <= values(world.read("navigate", known))
        current = world.read("navigate", bounded_identifier(f"{known}_current"))
        assert len(current) == 2
        then = world.read(
            "navigate", bounded_identifier(f"{known}_as_of"), "(now() - '1 day'::interval)"
        )
        assert len(then) == 2
        assert "ann@example.com" not in values(world.read("chart", known))
        assert "a***@e***" not in values(world.read("explore", known))
    look_at_findings(world)
    look_at_metrics(world)
    look_at_qalita(world)
    look_at_subjects(world)
    look_at_retention(world)
    look_at_roles(world)


def look_at_findings(world: World) -> None:
    found = world.ask("select distinct path from pipeline.pii_finding where verdict is not null")
    assert [MAIL] in [each["path"] for each in found]
    assert world.ask("select distinct status from pipeline.quality_result")
    assert not world.ask("select * from pipeline.quality_result where status = 'error'")
    cli(pii, "report")


def look_at_metrics(world: World) -> None:
    definitions = DefinitionsReader(load_settings(world.project.variables))
    text = Scraper(world.project.warehouse_url, definitions).scrape().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    streams = {each.labels["stream"] for each in families["atlas_layer_rows"].samples}
    assert len(streams) == len(STREAMS)


def look_at_qalita(world: World) -> None:
    jobs = world.qalita.ledger.rows("jobs")
    assert len(jobs) >= len(STREAMS)
    assert {each["status"] for each in jobs} == {"succeeded"}
    told = json.dumps(world.qalita.ledger.rows("schemas"), ensure_ascii=False)
    assert json.dumps(MAIL)[1:-1] in told


def look_at_subjects(world: World) -> None:
    mail = "bob@example.com"
    assert len(cli(subject, "find", "--value", mail).splitlines()) >= 1 + len(STREAMS)
    file = world.project.root / "bob.jsonl"
    cli(subject, "export", "--value", mail, "--file", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert mail in json.dumps(lines)
    told = cli(subject, "erase", "--value", mail, "--yes")
    assert f"erased (redact) in {len(STREAMS)} streams" in told
    for name in world.tables.values():
        assert mail not in json.dumps(world.read("explore", name), default=str)


def look_at_retention(world: World) -> None:
    told = cli(retention).splitlines()
    assert len(told) == len(STREAMS)
    assert all("dropped" in line for line in told)
    for name in world.tables.values():
        assert len(world.read("explore", name)) == 1
        assert len(world.read("navigate", name)) == 3


def look_at_roles(world: World) -> None:
    login = f"an\"alyst'; {DROP}"
    with psycopg.connect(world.project.warehouse_url, autocommit=True) as client:
        client.execute(
            sql.SQL("drop role if exists {0}; create role {0}").format(sql.Identifier(login))
        )
        try:
            cli(roles, "create", "--dry-run", "--reader", login)
            cli(roles, "create", "--reader", login)
            client.execute(sql.SQL("set role {}").format(sql.Identifier(login)))
            for name in world.tables.values():
                navigate, explore = (sql.Identifier(s, name) for s in ("navigate", "explore"))
                client.execute(sql.SQL("select * from {}").format(navigate))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    client.execute(sql.SQL("select * from {}").format(explore))
        finally:
            client.execute("reset role")
            client.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))
