"""Messages for the scripted connector, and the connection that runs it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg

from atlas_dagster.airbyte.sync import Sync
from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.config import EmbeddedConnection, EmbeddedStream
from atlas_dagster.settings import Settings

Json = dict[str, Any]

EMITTED_AT = 1_700_000_000_000  # 2023-11-14T22:13:20Z
APPEND = (SyncMode.INCREMENTAL, DestinationMode.APPEND)
DEDUP = (SyncMode.INCREMENTAL, DestinationMode.APPEND_DEDUP)
OVERWRITE = (SyncMode.FULL_REFRESH, DestinationMode.OVERWRITE)
UNWRITTEN = (None, None)


def record(stream: str, data: Json, *, at: int = EMITTED_AT, **more: Any) -> Json:
    message = {"stream": stream, "data": data, "emitted_at": at, **more}
    return {"say": {"type": "RECORD", "record": message}}


def raw_record(stream: str, data: str) -> Json:
    """A record whose data stand in the line as they are given (latin-1)."""
    head = f'{{"type": "RECORD", "record": {{"stream": "{stream}", "emitted_at": {EMITTED_AT}, '
    return {"write": f'{head}"data": {data}}}}}\n'}


def state(stream: str, value: Any, **more: Any) -> Json:
    part = {"stream_descriptor": {"name": stream}, "stream_state": value}
    return {"say": {"type": "STATE", "state": {"type": "STREAM", "stream": part, **more}}}


def global_state(shared: Any, streams: dict[str, Any]) -> Json:
    states = [
        {"stream_descriptor": {"name": name}, "stream_state": value}
        for name, value in streams.items()
    ]
    part = {"shared_state": shared, "stream_states": states}
    return {"say": {"type": "STATE", "state": {"type": "GLOBAL", "global": part}}}


def error(text: str, **more: str) -> Json:
    trace = {"type": "ERROR", "emitted_at": 1.0, "error": {"message": text, **more}}
    return {"say": {"type": "TRACE", "trace": trace}}


def status(stream: str, value: str) -> Json:
    part = {"stream_descriptor": {"name": stream}, "status": value}
    trace = {"type": "STREAM_STATUS", "emitted_at": 1.0, "stream_status": part}
    return {"say": {"type": "TRACE", "trace": trace}}


def table(
    name: str, properties: Json, *, key: str | None = "id", cursor: str | None = None
) -> Json:
    """A stream of a catalog."""
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "source_defined_primary_key": [[key]] if key else [],
        "default_cursor_field": [cursor] if cursor else [],
    }


USERS = table("users", {"id": {"type": "integer"}, "name": {"type": "string"}})


@dataclass
class Source:
    """A scripted connector in a directory of its own, and syncs of it."""

    home: Path
    settings: Settings
    warehouse_url: str
    scenario: Json = field(
        default_factory=lambda: {"spec": {"type": "object"}, "catalog": {"streams": [USERS]}}
    )
    config: Json = field(default_factory=dict[str, Any])
    mode: tuple[SyncMode | None, DestinationMode | None] = APPEND

    def write(self) -> Path:
        """Put the connector in place; returns its executable."""
        script = Path(__file__).with_name("connector.py").read_text()
        executable = self.home / "source-scripted"
        executable.write_text(f"#!{sys.executable} -IS\n{script}")
        executable.chmod(0o755)
        (self.home / "scenario.json").write_text(json.dumps(self.scenario))
        return executable

    def connection(self) -> EmbeddedConnection:
        sync_mode, destination_mode = self.mode
        return EmbeddedConnection(
            id="scripted-id",
            name="Scripted",
            slug="scripted",
            package="airbyte-source-scripted",
            version="1.0.0",
            executable=str(self.home / "source-scripted"),
            config=self.config,
            streams=tuple(
                EmbeddedStream(
                    s["name"],
                    s.get("namespace"),
                    sync_mode,
                    destination_mode,
                    where=f"config/connections.yaml:5: {s['name']}",
                )
                for s in self.scenario["catalog"]["streams"]
            ),
            namespace="landing",
            prefix="",
            file="conf/connections.yaml",
        )

    def catalog(self, *streams: Json) -> None:
        self.scenario["catalog"] = {"streams": list(streams)}

    def open(self, *steps: Json) -> Sync:
        """A sync that has its lock and its job, and has not started."""
        if steps:
            self.scenario["steps"] = list(steps)
        self.write()
        return Sync(self.connection(), self.settings, self.warehouse_url)

    def sync(self, *steps: Json) -> Sync:
        """Run one sync of these steps to its end."""
        sync = self.open(*steps)
        sync.run()
        return sync

    def heartbeat(self, seconds: float) -> None:
        self.settings = replace(self.settings, heartbeat_seconds=seconds)

    def let(self, name: str) -> None:
        """Let the connector go on from its step `wait`."""
        (self.home / name).touch()

    def seen(self, name: str) -> Any:
        """What the connector was given: config, catalog or state."""
        return json.loads((self.home / f"seen_{name}.json").read_text())

    def calls(self) -> list[str]:
        return [json.loads(line)["verb"] for line in (self.home / "calls").read_text().splitlines()]

    def pids(self) -> list[int]:
        return [json.loads(line)["pid"] for line in (self.home / "calls").read_text().splitlines()]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.warehouse_url, options="-c timezone=UTC") as connection:
            return connection.execute(statement.encode()).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.warehouse_url, autocommit=True) as connection:
            connection.execute(statement.encode())


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
