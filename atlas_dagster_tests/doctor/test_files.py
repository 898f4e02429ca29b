"""`atlas doctor` about the files under config/: what a run could not do with is told before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atlas_dagster.airbyte.connectors import catalog_file
from atlas_dagster.airbyte.workspace import build_workspace
from atlas_dagster.config import load_connections
from atlas_dagster.doctor import files
from atlas_dagster.doctor.probes import Verdict
from atlas_dagster.layers.chart import build_chart
from atlas_dagster.layers.explore import load_explore
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.stream_columns import register_columns
from atlas_dagster.rules import StreamRules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, register_stream
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.doctor.looking import about, run
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.layers.support import FIRST_DAY, LAST_DAY, create_landing


def write(project: Project, name: str, text: str) -> None:
    file: Path = project.root / "config" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def failed() -> list[str]:
    found = files.look_at_files(load_settings())
    return [each.text for each in found if each.verdict is Verdict.FAIL]


@pytest.fixture
def charted(project: Project, warehouse: PgConnection) -> Project:
    """The stream `users` of the project has an empty chart."""
    settings = load_settings()
    (shop,) = load_connections(settings)
    known = catalog_file(shop, settings.data_dir)
    known.parent.mkdir(parents=True, exist_ok=True)
    known.write_text(json.dumps({"catalog": {"streams": [USERS]}}))
    ((stream,),) = [one.streams for one in build_workspace(settings).connections()]
    create_landing(warehouse, stream)
    register_stream(warehouse, stream)
    register_columns(warehouse, stream, "run")
    load_explore(warehouse, stream, "run")
    history = history_rules(stream, StreamRules())
    build_chart(warehouse, stream, history, FIRST_DAY, LAST_DAY, "run")
    return project


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("connections.yaml", "connections: {shop: {sources: x}}", "connections.yaml:1"),
        ("atlas.yaml", "connections: {shop: {cron: 7}}", "atlas.yaml:1"),
        ("qalita.json", json.dumps({"default": 7}), "qalita.json:1"),
        ("pii_recognizers.yaml", "recognizers: [{name: X, type: what}]", "recognizers.yaml:1"),
        ("checks/shop/other.yml", "checks: []", "unknown stream other of shop"),
        ("checks/shop/users.yml", "check: []", "users.yml:1"),
    ],
)
def test_a_mistake_in_a_file_is_named_and_the_others_are_read(
    project: Project, name: str, text: str, said: str
) -> None:
    project.connect({"shop": {"source": "airbyte-source-shop==1.0.0", "streams": ["users"]}})
    file = project.root / "config" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    found = list(files.look_at_files(load_settings()))
    failed = [each.text for each in found if each.verdict is Verdict.FAIL]
    assert any(said in each for each in failed), found
    assert len(failed) == 1
    if name != "connections.yaml":
        assert any(each.verdict is Verdict.OK for each in found)


def test_a_mistake_in_connections_yaml_is_said_once(project: Project) -> None:
    write(project, "connections.yaml", "connections: {shop: {sources: x}}")
    write(project, "checks/shop/users.yml", "checks: [row_count: ]")
    code, lines = run()
    assert code == 1
    assert sum("sources: unknown key" in line for line in lines) == 1
    told = [line for line in about(lines, "config") if line.startswith("warn")]
    assert [line.split(": ", 1)[1] for line in told] == [
        "not read: connections.yaml has a mistake",
        "not read: connections.yaml has a mistake",
    ]
    assert about(lines, "connector") == []


def test_a_variable_that_is_not_set(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    source = {"source": "airbyte-source-shop==1.0.0", "streams": ["users"]}
    project.connect({"shop": {**source, "config": {"seed": "${MY_SECRET}"}}})
    assert failed() == [
        f"{project.root}/config/connections.yaml: connection shop: config.seed:"
        " environment variable MY_SECRET is not set"
    ]
    monkeypatch.setenv("MY_SECRET", "s3cret")
    assert failed() == []


@pytest.mark.parametrize(
    "rules",
    [
        "pii: {default: hash}",
        "pii: {entities: {EMAIL_ADDRESS: hash}}",
        "connections: {shop: {pii: {columns: {name: hash}}}}",
        "connections: {shop: {streams: {users: {pii: {columns: {name: hash}}}}}}",
    ],
)
def test_a_policy_that_hashes_without_a_key(
    project: Project, monkeypatch: pytest.MonkeyPatch, rules: str
) -> None:
    write(project, "atlas.yaml", rules)
    (told,) = failed()
    assert told.startswith("ATLAS_PII_HASH_KEY: not set, and a policy of ")
    monkeypatch.setenv("ATLAS_PII_HASH_KEY", "k" * 16)
    assert failed() == []


def test_a_directory_of_files_that_is_not_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_CONFIG_DIR", "/nonexist")
    code, lines = run()
    assert code == 1
    assert about(lines, "settings") == ["FAIL ATLAS_CONFIG_DIR: there is no directory /nonexist"]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("checks: [failed_rows: {expression: agge < 16}]", 'column "agge" does not exist'),
        (
            "columns: [{name: name, checks: [invalid: {valid_format: {regex: '['}}]}]",
            "invalid regular expression: brackets [] not balanced",
        ),
    ],
)
def test_sql_that_postgresql_cannot_parse(charted: Project, check: str, said: str) -> None:
    write(charted, "checks/shop/users.yml", check)
    (told,) = failed()
    assert "checks/shop/users.yml:1: " in told
    assert said in told


def test_rules_for_fields_that_are_not_there(charted: Project) -> None:
    write(charted, "atlas.yaml", "connections: {shop: {streams: {users: {ignore: [naem]}}}}")
    assert failed() == ["shop/users: ignore 'naem' is not a column; its columns: id, name"]
    write(charted, "atlas.yaml", "connections: {shop: {streams: {users: {natural_key: idd}}}}")
    assert failed() == ["shop/users: natural_key 'idd' is not a column; its columns: id, name"]
