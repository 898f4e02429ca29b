"""What listens is reached from this machine alone, unless it is told otherwise."""

from __future__ import annotations

import click
import pytest
from dagster_webserver.cli import dagster_webserver

from atlas_dagster.cli import _webserver_url
from atlas_dagster.cli_metrics import metrics
from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita.sandbox import app as sandbox
from atlas_dagster.settings import load_webhook_settings
from atlas_dagster.webhook import server as webhook

TOKEN = {"ATLAS_WEBHOOK_TOKEN": "a-token-of-some-length", "ATLAS_WEBHOOK_PORT": "0"}


def option(command: click.Command, name: str) -> click.Parameter:
    return next(each for each in command.params if each.name == name)


def test_the_receiver_and_the_sandbox() -> None:
    for listener in (webhook.listen(load_webhook_settings(TOKEN)), sandbox.listen(0)):
        with listener:
            assert listener.getsockname()[0] == "127.0.0.1"


def test_metrics_and_the_webserver() -> None:
    assert option(metrics, "host").default == "127.0.0.1"
    assert option(dagster_webserver, "host").default == "127.0.0.1"
    assert _webserver_url([]) == "http://127.0.0.1:3000"
    assert "--read-only" in option(dagster_webserver, "read_only").opts


def test_another_address_is_a_choice() -> None:
    listener = webhook.listen(load_webhook_settings({**TOKEN, "ATLAS_WEBHOOK_HOST": "0.0.0.0"}))
    with listener:
        assert listener.getsockname()[0] == "0.0.0.0"
    with pytest.raises(ConfigError, match=r"ATLAS_WEBHOOK_HOST, .*cannot listen on 192\.0\.2\.1"):
        webhook.listen(load_webhook_settings({**TOKEN, "ATLAS_WEBHOOK_HOST": "192.0.2.1"}))
