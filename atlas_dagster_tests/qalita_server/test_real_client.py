"""QALITA's own command line, as PyPI has it, works with the test's QALITA: that keeps it honest.

It is installed into a venv of its own, and nothing of it stays.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from atlas_dagster_tests.qalita_server.double import QalitaDouble

pytestmark = pytest.mark.slow

RELEASE = "qalita==3.2.1"
DATASET = {"perimeter": "dataset", "value": "raw_orders"}
RESULTS = {
    "recommendations": [{"content": "look", "type": "t", "scope": DATASET, "level": "info"}],
    "schemas": [{"key": "dataset", "value": "raw_orders", "scope": DATASET}],
    "metrics": [{"key": "score", "value": "0.97", "scope": DATASET}],
}
SOURCE = """
version: 1
sources:
- {name: raw_orders, type: file, description: orders, visibility: internal,
   reference: false, sensitive: false, config: {path: %s}}
"""


@dataclass(frozen=True)
class CommandLine:
    """The client, and the only directory that it knows."""

    program: Path
    home: Path
    url: str
    token: str

    def run(self, *arguments: str) -> None:
        """Run a command; it must succeed."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "QALITA_HOME": str(self.home / ".qalita"),
            "QALITA_WORKER_NAME": "probe",
            "QALITA_WORKER_MODE": "job",
            "QALITA_WORKER_ENDPOINT": self.url,
            "QALITA_WORKER_TOKEN": self.token,
        }
        ended = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("qalita") / "venv"
    call([sys.executable, "-m", "venv", str(venv)])
    call([str(venv / "bin" / "pip"), "install", "--quiet", RELEASE])
    return venv / "bin" / "qalita"


@pytest.fixture
def command_line(qalita_server: QalitaDouble, program: Path, tmp_path: Path) -> CommandLine:
    qalita_server.ledger.add("registries", name="local", url="http://127.0.0.1:9/bucket")
    return CommandLine(program, tmp_path, qalita_server.url, qalita_server.issue())


def test_a_pack_is_pushed_and_run_on_a_source_to_its_end(
    qalita_server: QalitaDouble, command_line: CommandLine
) -> None:
    home, ledger = command_line.home, qalita_server.ledger
    command_line.run("worker", "login")
    command_line.run("pack", "init", "-n", "probe")
    (home / "orders.csv").write_text("id\n1\n")
    (home / ".qalita" / "sources-conf.yaml").write_text(SOURCE % (home / "orders.csv"))
    (home / "probe_pack" / "run.sh").write_text(
        "".join(
            f"cat > {name}.json <<'END'\n{json.dumps(items)}\nEND\n"
            for name, items in RESULTS.items()
        )
    )
    command_line.run("source", "push", "--skip-validate")
    command_line.run("pack", "push", "-n", "probe")
    command_line.run("pack", "list")
    command_line.run("worker", "run", "-s", "1", "-p", "1", "--no-grpc")
    command_line.run("source", "push", "--skip-validate")

    (source,), (pack,), (job,) = (ledger.rows(name) for name in ("sources", "packs", "jobs"))
    assert (source["name"], pack["name"], job["status"]) == ("raw_orders", "probe", "succeeded")
    for name, items in RESULTS.items():
        (row,) = ledger.rows(name)
        assert {key: row[key] for key in items[0]} == items[0]
    assert {"POST /api/v2/jobs/create", "PUT /api/v2/jobs/1"} <= set(qalita_server.lines())


def test_our_own_pack_is_pushed_with_its_tiles(
    qalita_server: QalitaDouble, command_line: CommandLine
) -> None:
    ours = Path(__file__).parents[2] / "qalita_pack"
    shutil.copytree(ours, command_line.home / "qalita_pack")
    command_line.run("worker", "login")
    command_line.run("pack", "push", "-n", "qalita")
    (pack,) = qalita_server.ledger.rows("packs")
    assert json.loads(pack["config"]) == json.loads((ours / "pack_conf.json").read_text())
    assert len(qalita_server.ledger.pack(pack)["versions"]) == 1


def call(arguments: Sequence[str]) -> None:
    ended = subprocess.run(arguments, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
