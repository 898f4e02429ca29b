"""`atlas webhook` as an operator has it: a process, its log, and clients that speak plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

TOKEN = "a-token-that-must-not-show-anywhere"
PATIENCE_SECONDS = 120.0
SPARE_FILES = 200

_T = TypeVar("_T")


@dataclass(frozen=True)
class Receiver:
    """The process; ``base`` is the URL that it printed."""

    process: subprocess.Popen[bytes]
    base: str
    log_file: Path

    @property
    def path(self) -> str:
        return f"/airbyte/webhook/{TOKEN}"

    @property
    def url(self) -> str:
        return self.base + self.path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.base)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; returns the exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_SECONDS)

    async def send(self, request: bytes) -> tuple[int, Any]:
        """Send bytes over a connection of their own; returns status and JSON of the answer."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(request)
        answer = await read_answer(reader)
        writer.close()
        return answer

    async def begin(self, body: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request that the receiver is known to work on; its answer is yet to be read."""
        reader, writer = await asyncio.open_connection(*self.address)
        head, end, content = self.post(body, "Expect: 100-continue").partition(b"\r\n\r\n")
        writer.write(head + end)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(content)
        return reader, writer

    def post(self, body: Any, *headers: str) -> bytes:
        """A request as bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [
            f"POST {self.path} HTTP/1.1",
            "Host: atlas",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            *headers,
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def allow_connections(number: int) -> None:
    """Let this process open so many, where the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number + SPARE_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number + SPARE_FILES, hard))


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """Read one answer; returns its status and JSON."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(
        int(line.partition(":")[2])
        for line in head.splitlines()
        if line.lower().startswith("content-length")
    )
    return int(head.split(" ", 2)[1]), json.loads(await reader.readexactly(length))


def environment(directory: Path, warehouse_url: str, **more: str) -> dict[str, str]:
    """What the command is run with: nothing of ours but what is given."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ATLAS_", "DAGSTER_", "AIRBYTE_"))
    }
    ours = {
        "ATLAS_PROJECT_DIR": str(directory),
        "ATLAS_WAREHOUSE_URL": warehouse_url,
        "ATLAS_WEBHOOK_TOKEN": TOKEN,
        "ATLAS_WEBHOOK_PORT": "0",
    }
    return {**inherited, **ours, **more}


ATLAS = (sys.executable, "-c", "from atlas_dagster.cli import main; main()")
COMMAND = (*ATLAS, "webhook")


@contextmanager
def running(directory: Path, warehouse_url: str, *options: str, **more: str) -> Iterator[Receiver]:
    """The receiver for the length of a block."""
    log_file = directory / "webhook.log"
    with log_file.open("wb") as sink:
        process = subprocess.Popen(
            (*COMMAND, *options),
            cwd=directory,
            env=environment(directory, warehouse_url, **more),
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        base = until(lambda: _base(process, log_file))
        yield Receiver(process, base, log_file)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()


def until(look: Callable[[], _T]) -> _T:
    """Wait for the first true answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


def _base(process: subprocess.Popen[bytes], log_file: Path) -> str:
    log = log_file.read_text()
    assert process.poll() is None, log
    lines = [line for line in log.splitlines(keepends=True) if line.startswith("listening on ")]
    return lines[0].removeprefix("listening on ").strip() if lines and "\n" in lines[0] else ""
