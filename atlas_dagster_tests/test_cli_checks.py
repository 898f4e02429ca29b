"""`atlas checks`, as an operator types it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atlas_dagster.catalog_store import load_connection, save_catalog
from atlas_dagster.cli_checks import checks
from atlas_dagster.errors import AtlasError
from atlas_dagster.layers.policy import FieldPolicy, StreamPolicy, policy_json
from atlas_dagster.layers.stream_columns import register_columns
from atlas_dagster.pii_rules import Action
from atlas_dagster.warehouse import PgConnection, register_stream

FILE = Path("config/checks/crm/users.yml")
ID = {"type": "integer"}
EMAIL = {"type": ["null", "string"], "format": "email"}
NOTE = {"type": ["null", "string"]}


def save(connection: PgConnection, **users: Any) -> None:
    """The catalog of a connection of users with these properties, and of orders."""
    streams = {"users": users, "orders": {"id": ID, "user_id": ID}}
    entries = [
        {
            "stream": {"name": name, "jsonSchema": {"properties": properties}},
            "config": {
                "syncMode": "incremental",
                "destinationSyncMode": "append",
                "primaryKey": [["id"]],
            },
        }
        for name, properties in streams.items()
    ]
    details = {"connectionId": "c", "name": "crm", "syncCatalog": {"streams": entries}}
    destination = {"destinationType": "postgres", "configuration": {"schema": "landing"}}
    save_catalog(connection, "crm", details, destination)


@pytest.fixture
def crm(
    warehouse: PgConnection, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PgConnection:
    """A connection that has been synced every 6 hours, in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", warehouse_url)
    monkeypatch.delenv("ATLAS_PROJECT_DIR", raising=False)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/atlas.yaml").write_text('connections: {crm: {cron: "0 */6 * * *"}}\n')
    save(warehouse, id=ID, email=EMAIL, note=NOTE)
    return warehouse


def run(*arguments: str) -> str:
    result = CliRunner().invoke(checks, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def write(text: str) -> None:
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text, "utf-8")


def lines(text: str) -> dict[str, str]:
    """What is shown, a line a check, by the name of the check; spaces as one."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines()}


@pytest.mark.usefixtures("crm")
class TestShow:
    def test_each_check_is_a_line_with_its_thresholds_and_its_origin(self) -> None:
        shown = lines(run("show", "crm/users"))
        assert shown["CHECK"] == "DIMENSION WARNS FAILS FROM"
        assert shown["missing__id"] == "completeness - > 0 the source's primary key"
        assert shown["missing__note"] == "completeness - - every column is measured"
        assert shown["invalid__email"] == "validity > 0 > 5 % the source's schema: format email"
        assert shown["row_count"] == "completeness - < 1 every stream"
        assert shown["fresh_sync"] == "timeliness > 9h > 18h the schedule of the connection"
        assert shown["history_no_overlap"] == "consistency - > 0 the rules of history"

    def test_a_sibling_is_known(self) -> None:
        assert "reference__user_id" in lines(run("show", "crm/orders"))

    def test_what_a_file_says_is_shown_with_its_line(self) -> None:
        write(
            "disable: [text_damage__note]\n"
            "override:\n"
            "  fresh_sync: {fail: 2d}\n"
            "checks:\n"
            "  - row_count:\n"
            "      threshold: {must_be_between: {greater_than: 5, less_than: 10000}}\n"
        )
        shown = lines(run("show", "crm/users"))
        assert shown["text_damage__note"] == "is disabled"
        assert shown["fresh_sync"] == (
            "timeliness > 9h > 2d the schedule of the connection; thresholds:"
            " config/checks/crm/users.yml:3"
        )
        assert shown["user__row_count"] == (
            "completeness - not 5 to 10,000 config/checks/crm/users.yml:5"
        )

    def test_json_has_all_of_a_check(self) -> None:
        write("disable: [schema]\nchecks: [row_count: ]\n")
        shown = {check["name"]: check for check in json.loads(run("show", "crm/users", "--json"))}
        assert shown["schema"]["not_checked"] == "disabled"
        assert shown["user__row_count"]["is_derived"] is False
        email = shown["invalid__email"]
        assert email["threshold"]["fail"] == {
            "operator": "gt",
            "value": 5,
            "unit": "percent",
            "upper": None,
        }
        assert (email["layer"], email["rule"], email["not_checked"]) == ("chart", "invalid", None)

    def test_sql_that_postgresql_cannot_parse_is_told_where_chart_is_built(
        self, crm: PgConnection
    ) -> None:
        write("checks:\n  - failed_rows:\n      expression: agge < 16\n")
        assert "user__failed_rows" in lines(run("show", "crm/users"))
        crm.execute("create schema if not exists chart")
        crm.execute(
            "create table chart.crm__users"
            " (id bigint, email text, note text, _atlas_deleted boolean, _atlas_partition date)"
        )
        result = CliRunner().invoke(checks, ["show", "crm/users"])
        assert "user__failed_rows" in lines(result.output)
        assert str(result.exception) == (
            'config/checks/crm/users.yml:2: user__failed_rows: column "agge" does not exist'
        )

    def test_a_mistake_is_told_after_the_checks_that_it_may_mean(self) -> None:
        write("disable:\n  - mising__email\n")
        result = CliRunner().invoke(checks, ["show", "crm/users"])
        assert "missing__email" in lines(result.output)
        assert isinstance(result.exception, AtlasError)
        assert str(result.exception) == (
            "config/checks/crm/users.yml:2: disable[0]: mising__email is no derived check;"
            " did you mean missing__email?"
        )

    def test_what_the_policy_of_chart_leaves_out_is_told(self, crm: PgConnection) -> None:
        users = load_connection(crm, "crm").streams[0]
        register_stream(crm, users)
        policy = StreamPolicy((FieldPolicy(("email",), Action.MASK),))
        crm.execute(
            "insert into pipeline.layer_table (layer, table_name, definition, rows, policy)"
            " values ('chart', %s, '', 0, %s)",
            (users.table_name, policy_json(policy)),
        )
        output = run("show", "crm/users")
        assert output.splitlines()[-1] == (
            "invalid__email is not checked: email is masked on its way to chart"
        )

    def test_a_column_that_the_source_dropped_may_be_named_in_the_file(
        self, crm: PgConnection
    ) -> None:
        register_columns(crm, load_connection(crm, "crm").streams[0], "run")
        save(crm, id=ID, email=EMAIL)
        write("columns:\n  - name: note\n    checks: [missing: ]\n")
        shown = lines(run("show", "crm/users"))
        assert "user__missing__note" in shown
        assert "missing__note" not in shown

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("cmr/users", "no connection 'cmr' has been synced; did you mean crm?"),
            ("crm/usres", "crm has no stream 'usres'; did you mean users?"),
            ("crm", "crm has no stream ''; expected one of orders, users"),
        ],
    )
    def test_what_is_not_there_is_named(self, name: str, message: str) -> None:
        with pytest.raises(AtlasError, match=re.escape(message)):
            run("show", name)


def test_without_a_sync_there_is_nothing_to_show(crm: PgConnection) -> None:
    crm.execute("delete from pipeline.catalog")
    with pytest.raises(AtlasError, match="none has been synced yet"):
        run("show", "crm/users")


@pytest.mark.usefixtures("crm")
class TestInit:
    def test_the_file_that_it_writes_changes_nothing(self) -> None:
        before = run("show", "crm/users")
        assert run("init", "crm/users") == (
            "crm/users: config/checks/crm/users.yml written; it changes nothing yet\n"
        )
        assert run("show", "crm/users") == before

    def test_it_names_the_derived_checks(self) -> None:
        run("init", "crm/users")
        assert "##   invalid__email  warns > 0, fails > 5 %\n" in FILE.read_text("utf-8")

    @pytest.mark.parametrize(
        "properties", [{"id": ID, "email": EMAIL, "a: 'b' #c": NOTE}, {"id": ID}]
    )
    def test_all_that_it_proposes_is_taken(
        self, crm: PgConnection, properties: dict[str, Any]
    ) -> None:
        save(crm, **properties)
        run("init", "crm/users")
        text = FILE.read_text("utf-8")
        FILE.write_text(re.sub("^# ", "", text, flags=re.MULTILINE), "utf-8")
        shown = lines(run("show", "crm/users"))
        assert shown["user__row_count"].startswith("completeness - <= 0")
        assert shown["fresh_sync"].startswith("timeliness > 24h > 2d")
        assert sum(line == "is disabled" for line in shown.values()) == 1

    def test_it_writes_over_nothing(self) -> None:
        write("disable: [schema]\n")
        with pytest.raises(AtlasError, match=r"config/checks/crm/users\.yml: is there already"):
            run("init", "crm/users")
        assert FILE.read_text("utf-8") == "disable: [schema]\n"
