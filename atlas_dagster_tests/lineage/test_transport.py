"""The client as OpenLineage's own configuration says, and what a sensor adds to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from openlineage.client.transport.composite import CompositeTransport
from openlineage.client.transport.file import FileTransport
from openlineage.client.transport.http import HttpTransport

from atlas_dagster.errors import ConfigError
from atlas_dagster.lineage.sending import emit
from atlas_dagster.lineage.transport import is_configured, open_client, safe_transport
from atlas_dagster_tests.lineage.backend import Backend
from atlas_dagster_tests.lineage.support import event


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "OPENLINEAGE_URL",
        "OPENLINEAGE_CONFIG",
        "OPENLINEAGE__TRANSPORT",
        "OPENLINEAGE__TRANSPORT__TYPE",
    ],
)
def test_it_is_on_where_a_variable_names_a_transport(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_configured()
    monkeypatch.setenv(name, "x")
    assert is_configured()
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "True")
    assert not is_configured()


@pytest.mark.parametrize("place", ["openlineage.yml", "home/.openlineage/openlineage.yml"])
def test_it_is_on_where_the_client_finds_a_file(place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("transport: {type: file, log_file_path: events, append: true}")
    assert is_configured()
    assert isinstance(open_client().transport, FileTransport)


def test_a_url_is_tried_twice_with_five_seconds_and_leaves_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", "http://lineage:5000")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "a-key")
    before = dict(os.environ)
    transport = open_client().transport
    assert dict(os.environ) == before
    assert isinstance(transport, HttpTransport)
    assert transport.timeout == 5.0
    assert transport.config.retry["total"] == 1
    assert transport.config.retry["respect_retry_after_header"] is False
    assert transport.config.auth.get_bearer() == "Bearer a-key"


def test_what_the_user_says_stands() -> None:
    said = {"type": "http", "url": "u", "timeout": 20, "retry": {"total": 7}}
    safe = safe_transport(said)
    assert (safe["timeout"], safe["retry"]["total"]) == (20, 7)
    several = {"type": "composite", "transports": [said], "continue_on_failure": True}
    assert safe_transport(several)["continue_on_failure"] is True
    assert safe_transport({"type": "kafka", "topic": "t"}) == {"type": "kafka", "topic": "t"}


def test_asynchronous_http_is_spoken_to_as_http_and_of_several_transports_all_have_to_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inner = {
        "a": {"type": "async_http", "url": "http://a:1"},
        "b": {"type": "file", "log_file_path": "events", "append": True},
    }
    monkeypatch.setenv(
        "OPENLINEAGE__TRANSPORT", json.dumps({"type": "composite", "transports": inner})
    )
    transport = open_client().transport
    assert isinstance(transport, CompositeTransport)
    assert transport.config.continue_on_failure is False
    assert [one.kind for one in transport.transports] == ["http", "file"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"OPENLINEAGE_CONFIG": "/nowhere.yml"}, "OPENLINEAGE_CONFIG: there is no file /nowhere"),
        ({"OPENLINEAGE_URL": "me:secret@host"}, "transport cannot be made: Need valid url"),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "http"}, "transport cannot be made"),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "pigeon"}, "transport cannot be made"),
    ],
)
def test_a_mistake_is_one_sentence(
    named: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=told) as caught:
        open_client()
    assert "secret" not in str(caught.value)


def test_a_file_that_names_no_transport_is_a_mistake_too(tmp_path: Path) -> None:
    (tmp_path / "openlineage.yml").write_text("facets: {}")
    with pytest.raises(ConfigError, match="no transport is set: OPENLINEAGE_URL"):
        open_client()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("transport:\n  type: http\n  auth: se:cret: x\n", "openlineage.yml:3: this is not YAML"),
        ("- secret\n", "openlineage.yml: expected a mapping"),
        ("transport: http\n", "openlineage.yml: transport: expected a mapping"),
        (
            "transport: {type: composite, transports: 5}",
            "transport: transports: expected a mapping",
        ),
        ("transport: {type: composite, transports: [http]}", "transports: expected a mapping"),
        ("transport: {type: composite, transports: {a: x}}", "transports: a: expected a mapping"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_mistake_in_a_file_is_one_sentence(
    text: str, told: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openlineage.yml").write_text(text)
    if named:
        monkeypatch.setenv("OPENLINEAGE_CONFIG", str(tmp_path / "openlineage.yml"))
    with pytest.raises(ConfigError, match=told) as caught:
        open_client()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_that_is_no_mapping_is_a_mistake_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT", '"http"')
    with pytest.raises(ConfigError, match="transport: expected a mapping"):
        open_client()


def test_the_address_of_a_git_repository_does_not_leave_with_the_token_in_it(
    tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = https://me:ghp_16C7e42F@github.com/a/b.git\n'
    )
    monkeypatch.setenv("OPENLINEAGE_URL", backend.address)
    assert emit(open_client(), event()) is None
    assert "github" not in json.dumps(backend.events)


def test_an_api_key_is_sent_and_an_endpoint_is_used(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", backend.address)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "a-key")
    assert emit(open_client(), event()) is None
    assert backend.keys == ["Bearer a-key"]
