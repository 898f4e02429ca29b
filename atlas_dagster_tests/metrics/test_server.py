"""`atlas metrics` as a process: where it listens, what it answers, how it stops."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from atlas_dagster_tests.webhook.receiver import ATLAS, environment, until

COMMAND = (*ATLAS, "metrics")


@pytest.fixture
def metrics(tmp_path: Path, warehouse_url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the URL that it printed."""
    log = tmp_path / "metrics.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            (*COMMAND, "--port", "0"),
            cwd=tmp_path,
            env=environment(tmp_path, warehouse_url),
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        line = until(lambda: log.read_text() if "/metrics" in log.read_text() else "")
        yield process, line.split()[2]
    finally:
        process.kill()
        process.wait()


def test_it_answers_on_this_machine_alone_until_it_is_stopped(
    metrics: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, url = metrics
    answer = httpx.get(url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"atlas_up", "atlas_syncs", "atlas_layer_rows"} <= names
    assert httpx.get(url.replace("/metrics", "/")).status_code == 404
    listening = [
        found.laddr.ip
        for found in psutil.Process(process.pid).net_connections()
        if found.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert (tmp_path / "metrics.log").read_text().endswith("stopped\n")


def test_a_port_that_is_taken_is_told(tmp_path: Path, warehouse_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            (*COMMAND, "--port", str(port)),
            cwd=tmp_path,
            env=environment(tmp_path, warehouse_url),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    told = f"atlas: --host, --port: cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert done.stderr.splitlines() == [told]
