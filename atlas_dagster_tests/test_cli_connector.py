"""`atlas connector`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from atlas_dagster.cli_connector import connector
from atlas_dagster.errors import ConfigError, ConnectorError
from atlas_dagster_tests.airbyte.scripted import table
from atlas_dagster_tests.integration.project import Project, ScriptedConnector

TEXT = {"type": "string"}
SPEC = {
    "type": "object",
    "required": ["credentials"],
    "properties": {
        "credentials": {
            "title": "How to sign in",
            "oneOf": [
                {"title": "OAuth", "required": ["id"], "properties": {"id": TEXT}},
                {
                    "title": "Token",
                    "properties": {
                        "kind": {"const": "token"},
                        "token": {"type": "string", "airbyte_secret": True},
                    },
                },
            ],
        },
        "tables": {
            "type": ["null", "array"],
            "description": "Read <a href='https://x'>these</a>\nalone.",
            "items": {"type": "object", "properties": {"name": TEXT}},
        },
        "note": {"type": "string", "description": "x" * 100},
    },
}
USERS = table("users", {"id": {}}, cursor="at")
ORDERS = {**table("orders", {"id": {}}, key=None), "supported_sync_modes": ["full_refresh"]}
LINES = {**table("lines", {"id": {}}), "namespace": "eu"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedConnector:
    """An installed connector of the connection `shop`, which has the first two streams."""
    project = Project(tmp_path, "postgresql://127.0.0.1:1/none")
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHOP_TOKEN", "s3cret-token")
    source = "airbyte-source-shop==1.0.0"
    config = {"credentials": {"kind": "token", "token": "${SHOP_TOKEN}"}}
    project.connect({"shop": {"source": source, "config": config, "streams": ["users", "orders"]}})
    installed = project.install("shop", USERS, ORDERS, LINES)
    change(installed, spec=SPEC, check={"status": "SUCCEEDED"})
    return installed


def change(shop: ScriptedConnector, **scenario: Any) -> None:
    file = shop.home / "scenario.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **scenario}))


def run(*arguments: str) -> list[str]:
    result = CliRunner().invoke(connector, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def test_spec_lists_the_keys_of_the_configuration(shop: ScriptedConnector) -> None:
    assert run("spec", "shop") == [
        "KEY TYPE REQUIRED DESCRIPTION",
        "credentials object yes How to sign in",
        "credentials.id string yes OAuth",
        "credentials.kind token - Token",
        "credentials.token string, secret - Token",
        "tables array - Read these alone.",
        "tables[].name string -",
        f"note string - {'x' * 79}…",
    ]


def test_spec_needs_no_configuration(
    shop: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    assert run("spec", "shop")[0].startswith("KEY")


def test_check_says_that_the_configuration_is_accepted(shop: ScriptedConnector) -> None:
    assert run("check", "shop") == ["shop: the connector accepts its configuration"]
    seen = json.loads((shop.home / "seen_config.json").read_text())
    assert seen["credentials"]["token"] == "s3cret-token"


def test_check_fails_with_the_connectors_reason_without_secrets(shop: ScriptedConnector) -> None:
    change(shop, check={"status": "FAILED", "message": "s3cret-token is not known"})
    with pytest.raises(ConnectorError) as raised:
        run("check", "shop")
    assert str(raised.value) == ("airbyte-source-shop==1.0.0: check failed: **** is not known")


def test_check_names_the_key_that_does_not_fit(shop: ScriptedConnector) -> None:
    change(shop, spec={"required": ["start_date"]})
    with pytest.raises(ConfigError, match=r"connection shop: config\.start_date: required and"):
        run("check", "shop")


def test_streams_lists_what_the_source_has_and_what_is_configured(shop: ScriptedConnector) -> None:
    assert run("streams", "shop") == [
        "STREAM SYNC MODES KEY CURSOR CONFIGURED",
        "users full_refresh, incremental id at incremental, append_dedup",
        "orders full_refresh - - full_refresh, overwrite",
        "eu.lines full_refresh, incremental id - -",
    ]


def test_streams_asks_the_source_each_time(shop: ScriptedConnector) -> None:
    run("streams", "shop")
    change(shop, catalog={"streams": [USERS]})
    with pytest.raises(ConfigError, match="the source has no stream orders; it has: users"):
        run("streams", "shop")


def test_a_connection_that_is_not_there_is_answered_with_those_that_are(
    shop: ScriptedConnector,
) -> None:
    with pytest.raises(ConfigError, match=r"no connection 'shp' has .* here; there are: shop"):
        run("check", "shp")


def test_an_install_is_told_before_and_after(
    shop: ScriptedConnector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.home.parent / ".atlas-installed").unlink()
    programs = tmp_path / "programs"
    programs.mkdir()
    kept = shop.home.parent.rename(tmp_path / "kept")
    (programs / "uv").write_text(
        f'#!/bin/sh\n[ "$1" = venv ] && exec cp -r {kept} {shop.home.parent}\nexit 0\n'
    )
    (programs / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    assert run("check", "shop") == [
        "installing airbyte-source-shop==1.0.0, which may take minutes",
        "installed it in 0 s",
        "shop: the connector accepts its configuration",
    ]
