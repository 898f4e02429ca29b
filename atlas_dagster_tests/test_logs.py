"""Lines of logs: text by default, JSON where ATLAS_LOG_FORMAT says so, never a secret in them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from atlas_dagster.cli import _log_options
from atlas_dagster.errors import ConfigError
from atlas_dagster.logs import JsonLine, TextLine, log_format
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project, connection, day, user
from atlas_dagster_tests.webhook import receiver


def record(message: str, **more: Any) -> logging.LogRecord:
    found = logging.LogRecord("atlas_dagster.x", logging.WARNING, __file__, 1, message, (), None)
    found.__dict__.update(more)
    return found


def test_a_line_of_json_is_one_line_whatever_it_says() -> None:
    said = 'two\nlines, "quotes" and \x1b[31m 表'
    line = JsonLine().format(record(said, atlas={"connection": "shop", "stream": "users"}))
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed.pop("time").endswith("+00:00")
    assert parsed == {
        "level": "WARNING",
        "logger": "atlas_dagster.x",
        "message": said,
        "connection": "shop",
        "stream": "users",
    }


@pytest.mark.parametrize("formatter", [JsonLine(), TextLine()])
def test_an_exception_is_named_by_type_and_place(formatter: logging.Formatter) -> None:
    try:
        raise KeyError("secret")
    except KeyError:
        info = sys.exc_info()
    line = formatter.format(record("it failed", exc_info=info))
    assert f"KeyError at {__file__}:" in line
    assert "secret" not in line


def test_a_line_of_text_is_one_line_whatever_it_says() -> None:
    forged = "one\r\n2026-12-01 00:00:00,000 INFO \x1b[2Ja line\u2028that nobody logged"
    line = TextLine().format(record(forged))
    assert len(line.splitlines()) == 1
    assert line.endswith(
        r" WARNING one\r\n2026-12-01 00:00:00,000 INFO \x1b[2Ja line\u2028that nobody logged"
    )


LOCALES = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "C.UTF-8"},
    {"PYTHONIOENCODING": "ascii:strict"},
]
SAID = ["plain", "café", "half \ud800 pair", "end"]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_no_line_is_lost_to_the_encoding(stream: str, locale: dict[str, str]) -> None:
    handler = {
        "stdout": "from atlas_dagster.run_logs import RunLines; log.addHandler(RunLines())",
        "stderr": "from atlas_dagster.logs import configure_logging; configure_logging()",
    }[stream]
    code = (
        f"import logging; log = logging.getLogger('atlas_dagster.x'); log.setLevel(10); {handler}"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n[log.info(said) for said in {SAID!a}]"],
        env={**os.environ, "ATLAS_LOG_FORMAT": "json", **locale},
        capture_output=True,
        check=True,
    )
    lines = getattr(done, stream).decode().splitlines()
    assert [json.loads(line)["message"] for line in lines] == SAID


def test_another_format_is_refused_by_name() -> None:
    assert log_format({}) == "text"
    with pytest.raises(ConfigError, match="ATLAS_LOG_FORMAT: expected text or json, found 'xml'"):
        load_settings({"ATLAS_LOG_FORMAT": "xml"})


def test_dagster_dev_logs_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _log_options([]) == []
    monkeypatch.setenv("ATLAS_LOG_FORMAT", "json")
    assert _log_options(["--port", "1"]) == ["--log-format", "json"]
    assert _log_options(["--log-format=rich"]) == []


@pytest.mark.slow
def test_each_line_of_a_run_says_what_it_is_about(tmp_path: Path, warehouse_url: str) -> None:
    secret = "a-secret-that-must-not-show"
    more = {"ATLAS_LOG_FORMAT": "json", "SHOP_TOKEN": secret, "ATLAS_PII_HASH_KEY": secret}
    project = Project(tmp_path, warehouse_url, more)
    project.copy_dagster_files()
    config = {"token": "${SHOP_TOKEN}"}
    project.connect({"shop": connection("shop", ["users"], config=config)})
    shop = project.install("shop", USERS)
    shop.say(user(1, "Anna", day()), {"stderr": f"signing in with {secret}"}, {"exit": 3})
    done = subprocess.run(
        project.command(*project.execute("shop", day())),
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) > 5
    assert len({line["run_id"] for line in lines}) == 1
    assert {line["job"] for line in lines} == {"shop"}
    of_steps = [line for line in lines if "step" in line]
    assert {line["connection"] for line in of_steps} == {"shop"}
    assert any(line.get("stream") == "users" for line in lines)
    failure = next(line for line in lines if line.get("event") == "STEP_FAILURE")
    assert "exit code 3" in failure["error"]
    assert secret not in done.stdout + done.stderr


@pytest.mark.slow
def test_the_receiver_logs_json(tmp_path: Path, warehouse_url: str) -> None:
    import httpx

    with receiver.running(tmp_path, warehouse_url, ATLAS_LOG_FORMAT="json") as running:
        body = {"data": {"connection": {"id": "c"}, "jobId": 7, "success": True}}
        assert httpx.post(running.url, json=body).status_code == 200
        assert httpx.post(f"{running.base}/airbyte/webhook/wrong", json=body).status_code == 403
        running.stop()
    lines = [line for line in running.log.splitlines() if line.startswith("{")]
    assert any(json.loads(line)["message"].startswith("accepted ") for line in lines)
    assert len(running.log.splitlines()) == len(lines) + 3  # what the command itself says
    assert receiver.TOKEN not in running.log
