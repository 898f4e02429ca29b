"""The services of docker-compose.yml as processes of this machine, in what their image holds."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from atlas_dagster_tests.airbyte.scripted import is_alive
from atlas_dagster_tests.deploy.compose import Json
from atlas_dagster_tests.deploy.image import Image
from atlas_dagster_tests.integration.processes import PATIENCE_SECONDS, kill_tree
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.ports import free_port

_URL_OR_ADDRESS = re.compile(r"(?<![\w.-])([a-z][a-z0-9-]*|127\.0\.0\.1):(\d+)\b")


@dataclass
class Containers:
    """A project directory is /app, its data directory /data; each service has a port of its own.

    ``clone`` is the directory of docker-compose.yml, which holds .env.
    """

    project: Project
    image: Image
    clone: Path
    services: Mapping[str, Json]
    running: dict[str, subprocess.Popen[str]] = field(
        default_factory=dict[str, "subprocess.Popen[str]"]
    )

    def __post_init__(self) -> None:
        self.place = self.image.place(self.project.root, self.project.root / ".atlas")
        self.ports = {
            name: (port, free_port())
            for name, service in self.services.items()
            if (port := _port(service))
        }

    def local(self, service: str, text: str) -> str:
        """What a service is told, with hosts, ports and directories as they are here.

        The one place where a service's world and this machine differ.
        """

        def address(found: re.Match[str]) -> str:
            host = service if found[1] == "127.0.0.1" else found[1]
            if self.ports.get(host, ("", 0))[0] != found[2]:
                return found[0]
            return f"127.0.0.1:{self.ports[host][1]}"

        declared = [self.ports.get(service), *self.ports.values()]
        for port, free in filter(None, declared):
            if text == port:
                return str(free)
        return self.place.local(_URL_OR_ADDRESS.sub(address, text))

    def environment(self, service: str) -> dict[str, str]:
        """What ENV of the image, env_file and environment say, in the order that compose has."""
        told = self.services[service]
        said: dict[str, str] = {}
        for each in told.get("env_file", []):
            said |= read_env(self.clone / each["path"])
        said |= told.get("environment", {})
        local = {name: self._host(str(value)) for name, value in said.items()}
        local = {name: self.local(service, value) for name, value in local.items()}
        return {**self.image.environment(self.place), **local}

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service][1]}"

    def run(self, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command as `docker compose exec` or `run` would, to its end."""
        return subprocess.run(
            self._words(service, command),
            cwd=self.project.root,
            env=self.environment(service),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def complete(self, service: str) -> str:
        """Run a service that ends; returns what it printed."""
        done = self.run(service, self.services[service]["command"])
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *services: str) -> None:
        """Start services, and wait until the health check of each is content."""
        for service in services:
            with (self.project.root / f"{service}.log").open("a") as sink:
                self.running[service] = subprocess.Popen(
                    self._words(service, self.services[service]["command"]),
                    cwd=self.project.root,
                    env=self.environment(service),
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                    preexec_fn=_take_signals,
                )
        for service in services:
            self._wait_until_healthy(service)

    def stop(self, service: str) -> None:
        """SIGTERM to the service's own process, as `docker stop` does, and wait for all of it."""
        process = self.running.pop(service)
        family = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
        os.kill(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while alive := [pid for pid in family if is_alive(pid)]:
            assert time.monotonic() < deadline, f"{service} left processes: {alive}"
            time.sleep(0.1)

    def kill(self) -> None:
        """End what still runs."""
        for process in self.running.values():
            kill_tree(process)

    def log(self, service: str) -> str:
        return (self.project.root / f"{service}.log").read_text()

    def _wait_until_healthy(self, service: str) -> None:
        kind, *check = self.services[service]["healthcheck"]["test"]
        assert kind == "CMD"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while service in self.ports and not _listens(self.ports[service][1]):
            self._expect_alive(service, deadline)  # a check costs a second of CPU
        while (done := self.run(service, check)).returncode != 0:
            assert time.monotonic() < deadline, done.stdout + self.log(service)
            self._expect_alive(service, deadline)

    def _expect_alive(self, service: str, deadline: float) -> None:
        assert self.running[service].poll() is None, self.log(service)
        assert time.monotonic() < deadline, self.log(service)
        time.sleep(0.5)

    def _words(self, service: str, command: list[str]) -> list[str]:
        """The words of a command; the name of a service is one only where a host is expected."""
        pairs = zip(["", *command], command, strict=False)
        hosts = [self._host(word) if before == "--host" else word for before, word in pairs]
        return [self.local(service, word) for word in hosts]

    def _host(self, text: str) -> str:
        return "127.0.0.1" if text in self.services else text


def read_env(file: Path) -> dict[str, str]:
    """The variables of an env file; none where there is no file."""
    if not file.exists():
        return {}
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _take_signals() -> None:
    """Signals as a container has them: a shell's background job, and what it starts, ignores this.

    Dagster does with SIGTERM what is done with SIGINT.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _port(service: Json) -> str:
    """The port that a service listens on, empty where it has none."""
    for published in service.get("ports", []):
        return published.rpartition(":")[2]
    return next(iter(service.get("expose", [])), "")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
