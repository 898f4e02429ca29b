"""A project directory as an operator has one, its connections served by scripted connectors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg

from atlas_dagster_tests.airbyte import connector, scripted
from atlas_dagster_tests.airbyte.scripted import Json

REPOSITORY = Path(__file__).parents[2]
MODULE = "atlas_dagster.definitions"
VERSION = "1.0.0"


@dataclass(frozen=True)
class ScriptedConnector:
    """The installed connector of one connection; ``home`` holds its scenario and what it saw."""

    home: Path

    def say(self, *steps: Json) -> None:
        """What the next syncs are sent."""
        self._update(steps=list(steps))

    def count(self, total: int, every: int) -> None:
        """Let the next syncs go on from their state to a total, a state after every few."""
        self._update(count={"total": total, "every": every})

    def let(self, name: str) -> None:
        """Let the connector go on from its step `wait`."""
        (self.home / name).touch()

    def processes(self) -> list[tuple[str, int]]:
        """What was asked of it so far: verb and process id."""
        calls = self.home / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [(call["verb"], call["pid"]) for call in map(json.loads, lines)]

    def catalog(self, *streams: Json) -> None:
        """What the source has from now on, as if a day had passed: it is asked once a day."""
        self._update(catalog={"streams": list(streams)})
        for known in self.home.parents[1].glob("catalog/*.json"):
            known.unlink()

    def _update(self, **changes: Any) -> None:
        file = self.home / "scenario.json"
        scenario = json.loads(file.read_text())
        file.write_text(json.dumps({**scenario, **changes}))


@dataclass(frozen=True)
class Project:
    """The directory, the warehouse that its environment names, and what else that says."""

    root: Path
    warehouse_url: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a command is run with: nothing of ours but what belongs to this project."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ATLAS_", "DAGSTER_", "AIRBYTE_"))
        }
        return {**inherited, **self.variables}

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DAGSTER_HOME": str(self.root),
            "ATLAS_PROJECT_DIR": str(self.root),
            "ATLAS_WAREHOUSE_URL": self.warehouse_url,
            **self.extra,
        }

    def connect(self, connections: Mapping[str, Mapping[str, Any]], **rules: Any) -> None:
        """Write `connections.yaml`, as JSON, which is YAML; ``rules`` are those of `atlas.yaml`."""
        config = self.root / "config"
        config.mkdir(exist_ok=True)
        for file, content in (("connections", connections), ("atlas", rules)):
            text = json.dumps({"connections": content}, ensure_ascii=False)
            (config / f"{file}.yaml").write_text(text)

    def install(self, name: str, *streams: Json) -> ScriptedConnector:
        """Put a connector where Atlas would have installed it."""
        venv = self.root / ".atlas" / "connectors" / f"airbyte-source-{name}-{VERSION}"
        home = venv / "bin"
        home.mkdir(parents=True)
        script = Path(connector.__file__).read_text()
        executable = home / f"source-{name}"
        executable.write_text(f"#!{sys.executable} -IS\n{script}")
        executable.chmod(0o755)
        (home / "scenario.json").write_text(
            json.dumps({"spec": {"type": "object"}, "catalog": {"streams": list(streams)}})
        )
        (venv / ".atlas-installed").touch()
        return ScriptedConnector(home)

    def with_connection(self, name: str, *streams: Json, **rules: Any) -> ScriptedConnector:
        """A project of one connection, with its connector installed."""
        self.connect({name: connection(name, [s["name"] for s in streams])}, **rules)
        return self.install(name, *streams)

    def copy_dagster_files(self, **monitoring: Any) -> None:
        """`dagster.yaml`, with other seconds of run monitoring, `workspace.yaml`, `pyproject`."""
        for file in ("workspace.yaml", "pyproject.toml"):
            shutil.copy(REPOSITORY / file, self.root)
        text = (REPOSITORY / "dagster.yaml").read_text()
        for key, seconds in monitoring.items():
            lines = [
                f"  {key}: {seconds}" if line.startswith(f"  {key}:") else line
                for line in text.splitlines()
            ]
            text = "\n".join(lines)
        (self.root / "dagster.yaml").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """`dagster …`"""
        return [sys.executable, "-W", "ignore", "-m", "dagster", *arguments]

    def dagster(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dagster …` in the project's directory, to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def start(self, *command: str, log: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own; its output goes to a file of the project."""
        with (self.root / log).open("a") as sink:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def execute(self, job: str, day: str) -> list[str]:
        """The arguments of `dagster` that run a job for a day, in the command's own process."""
        tags = json.dumps({"dagster/partition": day})
        return ["job", "execute", "-m", MODULE, "-j", job, "--tags", tags]

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.warehouse_url, options="-c timezone=UTC") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()


def connection(name: str, streams: Sequence[str | Mapping[str, Any]], **more: Any) -> Json:
    """A connection of `connections.yaml`."""
    return {"source": f"airbyte-source-{name}=={VERSION}", "streams": list(streams), **more}


def day(ago: int = 0) -> str:
    """The UTC day so many days ago."""
    return (datetime.now(timezone.utc) - timedelta(days=ago)).date().isoformat()


def noon(day: str) -> int:
    """An instant of a day, in milliseconds since 1970."""
    return int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp() * 1000)


def user(number: int, name: str, on: str) -> Json:
    """A record of the stream `users`, extracted on a day."""
    return scripted.record("users", {"id": number, "name": name}, at=noon(on))
