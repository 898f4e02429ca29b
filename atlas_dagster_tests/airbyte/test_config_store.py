from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas_dagster.airbyte.config_store import Scrubber, resolve, save_update
from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.config import EmbeddedConnection, EmbeddedStream
from atlas_dagster.errors import ConfigError

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["count"],
    "properties": {
        "count": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "url": {"type": "string", "pattern": "^https://"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "hosts": {"type": "array", "items": {"type": "string"}},
        "auth": {
            "oneOf": [
                {
                    "title": "Token",
                    "required": ["token"],
                    "properties": {
                        "type": {"const": "token"},
                        "token": {"type": "string", "airbyte_secret": True},
                    },
                },
                {
                    "title": "Login",
                    "properties": {"type": {"const": "login"}, "user": {"type": "string"}},
                },
            ]
        },
    },
}


def connection(**config: Any) -> EmbeddedConnection:
    stream = EmbeddedStream("users", None, SyncMode.INCREMENTAL, DestinationMode.APPEND)
    return EmbeddedConnection(
        id="1",
        name="Shop",
        slug="shop",
        package="airbyte-source-shop",
        version="1.0",
        executable="source-shop",
        config=config,
        streams=(stream,),
        namespace="landing",
        prefix="",
        file="conf/connections.yaml",
    )


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("count", "50", 50),
        ("ratio", "0.5", 0.5),
        ("ratio", "2", 2),
        ("on", "true", True),
        ("url", "https://50", "https://50"),
        ("undeclared", "50", "50"),
    ],
)
def test_a_whole_placeholder_takes_the_type_of_the_spec(
    tmp_path: Path, key: str, text: str, value: object
) -> None:
    config = {"count": 1, key: "${X}"}
    assert resolve(connection(**config), SPEC, tmp_path, {"X": text}).values[key] == value


def test_placeholders_within_texts_lists_and_defaults(tmp_path: Path) -> None:
    config = {"count": "${N:-7}", "url": "https://${HOST}/${PATH_:-x}", "hosts": ["${HOST}"]}
    resolved = resolve(connection(**config), SPEC, tmp_path, {"HOST": "h.example", "PATH_": ""})
    assert resolved.values == {"count": 7, "url": "https://h.example/x", "hosts": ["h.example"]}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"count": "${N}"}, "config.count: environment variable N is not set"),
        ({"count": 1, "hosts": ["${N}"]}, "config.hosts[]: environment variable N is not set"),
        ({}, "config.count: required and missing"),
        ({"count": "many"}, "config.count: expected integer, found string"),
        ({"count": True}, "config.count: expected integer, found boolean"),
        ({"count": 0}, "config.count: expected at least 1"),
        ({"count": 1, "kind": "c"}, "config.kind: expected one of a, b"),
        ({"count": 1, "url": "http://x"}, "config.url: expected a text that matches ^https://"),
        ({"count": 1, "hosts": [1]}, "config.hosts[0]: expected string, found integer"),
        ({"count": 1, "auth": {"type": "token"}}, "config.auth.token: required and missing"),
        ({"count": 1, "auth": {"type": "x"}}, "config.auth: expected one of Token, Login"),
    ],
)
def test_a_wrong_config_names_connection_key_and_what_was_expected(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(connection(**config), SPEC, tmp_path, {})
    assert str(raised.value) == f"conf/connections.yaml: connection shop: {message}"


def test_the_file_that_is_named_is_the_one_that_was_read(tmp_path: Path) -> None:
    elsewhere = replace(connection(token="${NONE}"), file="/etc/atlas/connections.yaml")
    with pytest.raises(ConfigError, match=r"^/etc/atlas/connections\.yaml: connection shop: "):
        resolve(elsewhere, SPEC, tmp_path, {})


def test_secrets_are_those_of_the_spec_and_of_the_environment(tmp_path: Path) -> None:
    config = {"count": "${N}", "auth": {"type": "token", "token": "t0ken"}, "url": "https://${P}"}
    resolved = resolve(connection(**config), SPEC, tmp_path, {"N": "50", "P": "pa/ss"})
    assert resolved.secrets == {"t0ken", "pa/ss"}
    assert "t0ken" not in repr(resolved)
    scrub = Scrubber()
    scrub.hide(resolved.secrets)
    assert scrub("token=t0ken url=pa/ss pa%2Fss count=50") == "token=**** url=**** **** count=50"


def test_a_secret_of_many_lines_is_hidden_line_by_line() -> None:
    scrub = Scrubber()
    scrub.hide(frozenset({"-----BEGIN KEY-----\nMIIEvQIBADAN\n"}))
    assert scrub("got MIIEvQIBADAN") == "got ****"


def test_what_the_connector_saved_is_used_until_the_file_changes(tmp_path: Path) -> None:
    first = resolve(connection(count=1), SPEC, tmp_path, {})
    save_update(connection(count=1), first, b'{"count": 2, "__manifest": {}}', SPEC, tmp_path)
    assert resolve(connection(count=1), SPEC, tmp_path, {}).values == {"count": 2}
    assert resolve(connection(count=3), SPEC, tmp_path, {}).values == {"count": 3}
    (file,) = (tmp_path / "connectors" / "config").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_saved_config_that_breaks_the_spec_is_refused(tmp_path: Path) -> None:
    first = resolve(connection(count=1), SPEC, tmp_path, {})
    with pytest.raises(ConfigError, match="the connector changed it to: config"):
        save_update(connection(count=1), first, b'{"count": "x"}', SPEC, tmp_path)
