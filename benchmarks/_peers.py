"""Other tools that keep history, each in a venv of its own: dlt `scd2` and dbt snapshots."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from _users import TYPES
from psycopg import sql

from atlas_dagster.catalog import Table
from atlas_dagster.warehouse import PgConnection, identifier

# dbt-core 1.12 has a dependency that fetches a binary from outside of PyPI while it is installed.
DLT = ("dlt[postgres]==1.31.0", "connectorx==0.4.6", "pandas<4", "pyarrow<27")
DBT = ("dbt-core==1.11.16", "dbt-postgres==1.11.0")

SOURCE = f"select {', '.join(TYPES)} from landing.faker__users"


class PeerError(Exception):
    """A peer that does not install, does not run, or does not do what it should."""


@dataclass(frozen=True)
class Run:
    """Seconds of a command on the clock, and those that the tool says it spent in the database."""

    wall: float
    sql: float


class Peer(Protocol):
    """A tool that is asked to keep the history of users."""

    @property
    def name(self) -> str:
        """What to call it, with its version."""
        ...

    @property
    def table(self) -> Table:
        """Where it keeps the history."""
        ...

    def run(self, since: date | None) -> Run:
        """Take all users, or those that were updated since a day."""
        ...


@dataclass(frozen=True)
class Dlt:
    """dlt with the merge strategy `scd2`."""

    python: Path
    directory: Path
    url: str

    @property
    def name(self) -> str:
        return f"{DLT[0]} scd2, source cut to the day"

    @property
    def table(self) -> Table:
        return Table("dlt", "users")

    def run(self, since: date | None) -> Run:
        script = str(Path(__file__).with_name("_dlt_scd2.py"))
        command = [str(self.python), script, self.url, str(self.directory), source(since)]
        wall, output = _timed(command, self.directory)
        return Run(wall, float(output.split()[-1]))


@dataclass(frozen=True)
class DbtSnapshot:
    """A dbt snapshot by `updated_at`; its source is cut to the day, or is the whole table."""

    python: Path
    directory: Path
    snapshot: str
    whole: bool

    @property
    def name(self) -> str:
        return f"{DBT[0]} snapshot, {'whole source' if self.whole else 'source cut to the day'}"

    @property
    def table(self) -> Table:
        return Table("dbt", self.snapshot)

    def run(self, since: date | None) -> Run:
        wanted = "" if since is None or self.whole else since.isoformat()
        command = [
            str(self.python.with_name("dbt")),
            "snapshot",
            "--select",
            self.snapshot,
            "--vars",
            json.dumps({"since": wanted}),
        ]
        wall, _ = _timed(command, self.directory)
        results = json.loads((self.directory / "target" / "run_results.json").read_text())
        return Run(wall, float(results["results"][0]["execution_time"]))


def source(since: date | None) -> str:
    """SQL: the users that a peer reads."""
    return SOURCE if since is None else f"{SOURCE} where updated_at >= '{since.isoformat()}'"


def install_dlt(directory: Path, url: str) -> list[Peer]:
    """dlt on a database; raises PeerError where it does not install.

    It insists on a host and a password; the socket in the URL's query wins over that host.
    """
    python = _make_venv(directory / "dlt", DLT)
    state = directory / "dlt-state"
    state.mkdir()
    return [Dlt(python, state, url.replace("@/", ":none@localhost:5432/"))]


def install_dbt(directory: Path, url: str) -> list[Peer]:
    """dbt on a database, with both ways to take a snapshot; raises PeerError as above."""
    python = _make_venv(directory / "dbt", DBT)
    project = directory / "dbt-project"
    _write_project(project, url)
    return [
        DbtSnapshot(python, project, "users_day", whole=False),
        DbtSnapshot(python, project, "users_whole", whole=True),
    ]


def require_versions(connection: PgConnection, peer: Peer, versions: int) -> None:
    """Raise PeerError where a peer's table does not hold so many versions of users."""
    query = sql.SQL("select count(*) from {}").format(identifier(peer.table))
    row = connection.execute(query).fetchone()
    if row != (versions,):
        raise PeerError(f"{peer.name}: {peer.table} holds {row} rows, not {versions}")


def _make_venv(directory: Path, requirements: tuple[str, ...]) -> Path:
    python = directory / "bin" / "python"
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)])
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run([sys.executable, "-m", "venv", str(directory)])
        install = [str(python), "-m", "pip", "install", "--quiet"]
    _run([*install, *requirements])
    return python


def _write_project(project: Path, url: str) -> None:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    target = {
        "type": "postgres",
        "host": query["host"][0],
        "port": int(query["port"][0]),
        "user": parts.username,
        "pass": "",
        "dbname": parts.path.strip("/"),
        "schema": "dbt",
        "threads": 1,
    }
    files = {
        "dbt_project.yml": {"name": "users", "version": "1.0", "profile": "users"},
        "profiles.yml": {"users": {"target": "it", "outputs": {"it": target}}},
    }
    (project / "snapshots").mkdir(parents=True)
    for name, content in files.items():  # JSON is YAML
        (project / name).write_text(json.dumps(content))
    for name in ("users_day", "users_whole"):
        (project / "snapshots" / f"{name}.sql").write_text(_SNAPSHOT.replace("NAME", name))


_SNAPSHOT = f"""{{% snapshot NAME %}}
{{{{ config(
    target_schema="dbt", unique_key="id", strategy="timestamp", updated_at="updated_at"
) }}}}
{SOURCE}
{{% if var("since") %}} where updated_at >= '{{{{ var("since") }}}}' {{% endif %}}
{{% endsnapshot %}}
"""


def _timed(command: list[str], directory: Path) -> tuple[float, str]:
    began = time.perf_counter()
    output = _run(command, directory)
    return time.perf_counter() - began, output


def _run(command: list[str], directory: Path | None = None) -> str:
    environment = {
        **os.environ,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise PeerError(f"{Path(command[0]).name}: {' / '.join(said[-8:])}")
    return done.stdout
