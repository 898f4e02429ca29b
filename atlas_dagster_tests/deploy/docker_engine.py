"""A Docker engine that knows one thing: to create containers and start them, as processes here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atlas_dagster_tests.http_double import HttpDouble

API = "1.47"
_PATH = re.compile(r"(?:/v[0-9.]+)?(/[^?]*)")

Json = dict[str, Any]
Start = Callable[[Json], "subprocess.Popen[str]"]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def content(self) -> bytes:
        return b"" if self.status == 204 else json.dumps(self.body).encode()


class DockerEngine(HttpDouble[Answer]):
    """Docker's API as far as a run launcher speaks it.

    ``start_process`` gets what a container was created with. ``created`` is that of each, by id.
    """

    def __init__(self, start_process: Start) -> None:
        super().__init__()
        self.created: dict[str, Json] = {}
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self._start = start_process
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        return self._lines

    def handle(self, method: str, target: str, headers: Any, content: bytes) -> Answer:
        found = _PATH.match(target)
        path = found[1] if found else target
        self._lines.append(f"{method} {path}")
        if path == "/version":
            return Answer(200, {"ApiVersion": API, "MinAPIVersion": "1.24", "Version": "28.0.0"})
        if (method, path) == ("POST", "/containers/create"):
            name = f"{len(self.created) + 1:064x}"
            self.created[name] = json.loads(content)
            return Answer(201, {"Id": name, "Warnings": []})
        _, _, name, *rest = path.split("/")
        if name not in self.created:
            return Answer(404, {"message": f"No such container: {name}"})
        if (method, rest) == ("POST", ["start"]):
            self.processes[name] = self._start(self.created[name])
            return Answer(204)
        if (method, rest) == ("GET", ["json"]):
            return Answer(200, self._inspected(name))
        return Answer(501, {"message": f"{method} {path}"})

    def _inspected(self, name: str) -> Json:
        process = self.processes.get(name)
        status = "created" if process is None else "running"
        code = process.poll() if process else None
        state = {"Status": "exited" if code is not None else status, "ExitCode": code or 0}
        created = self.created[name]
        return {"Id": name, "Image": created["Image"], "Config": created, "State": state}
