"""A connector's process: its output by the chunk, its end, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from atlas_dagster.airbyte import guard
from atlas_dagster.errors import ConnectorError

READ_BYTES = 1 << 20
TICK_SECONDS = 0.2
TERM_SECONDS = 5.0
_F_SETPIPE_SZ = 1031  # Linux only


class CancelledError(ConnectorError):
    """The sync was cancelled."""


class ConnectorProcess:
    """A running connector command.

    ``chunks`` yields complete lines, several at once, and ``b""`` whenever nothing came for a
    moment. ``rest`` is what stood after the last newline when the output ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        *,
        heartbeat_seconds: float,
        on_stderr: Callable[[str], None],
        cancelled: threading.Event,
    ) -> None:
        self._heartbeat = heartbeat_seconds
        self._cancelled = cancelled
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(directory), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout
        assert self._process.stderr
        self._stdout = self._process.stdout.fileno()
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._stdout, _F_SETPIPE_SZ, READ_BYTES)
        self._stderr = threading.Thread(
            target=_drain, args=(self._process.stderr, on_stderr), daemon=True
        )
        self._stderr.start()
        self.rest = b""

    def chunks(self) -> Iterator[bytes]:
        """Yield the output; raises ConnectorError on a long silence, CancelledError on cancel."""
        parts: list[bytes] = []
        poller = select.poll()
        poller.register(self._stdout, select.POLLIN | select.POLLHUP)
        silent = 0.0  # seconds that we waited; what we do between two chunks does not count
        while True:
            if self._cancelled.is_set():
                raise CancelledError("the sync was cancelled")
            waiting = time.monotonic()
            if not poller.poll(min(TICK_SECONDS, self._heartbeat) * 1000):
                silent += time.monotonic() - waiting
                if silent > self._heartbeat:
                    raise ConnectorError(
                        f"the connector was silent for {silent:.0f} s and was stopped"
                    )
                self._end_leftovers()
                yield b""
                continue
            silent = 0.0
            data = os.read(self._stdout, READ_BYTES)
            if not data:
                break
            end = data.rfind(b"\n") + 1
            if end:
                yield b"".join((*parts, data[:end]))
                parts = [data[end:]] if end < len(data) else []
            else:
                parts.append(data)
        self.rest = b"".join(parts)

    def wait(self) -> int:
        """The connector's exit code, once its output has ended."""
        code = self._process.wait()
        self._stderr.join(timeout=TERM_SECONDS)
        return code

    def stop(self) -> None:
        """End the whole process group: SIGTERM, then SIGKILL. Does nothing where it has ended."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + TERM_SECONDS
            while not self._has_ended() and time.monotonic() < deadline:
                self._discard_output()
            self._signal(signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._stderr.join(timeout=TERM_SECONDS)

    def _has_ended(self) -> bool:
        """Whether the guard has ended; it is not reaped, so its group id stays ours."""
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is not None

    def _end_leftovers(self) -> None:
        """Where a connector ended but children of it hold its output open, end them."""
        if self._process.returncode is None and self._has_ended():
            self._signal(signal.SIGKILL)

    def _discard_output(self) -> None:
        if select.select([self._stdout], [], [], TICK_SECONDS)[0] and not os.read(
            self._stdout, READ_BYTES
        ):
            time.sleep(TICK_SECONDS / 10)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


@contextmanager
def running(
    command: Sequence[str],
    directory: Path,
    *,
    heartbeat_seconds: float,
    on_stderr: Callable[[str], None],
    cancelled: threading.Event,
) -> Generator[ConnectorProcess]:
    """Run a connector command for the length of a block; nothing of it outlives the block.

    ``directory`` holds its files; it is removed, too, when our process dies within the block.
    """
    process = ConnectorProcess(
        command,
        directory,
        heartbeat_seconds=heartbeat_seconds,
        on_stderr=on_stderr,
        cancelled=cancelled,
    )
    try:
        yield process
    finally:
        process.stop()


@contextmanager
def private_directory(parent: Path) -> Generator[Path]:
    """A directory that only we can read, removed with all that is in it."""
    parent.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=parent))  # 0700
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that only we can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _drain(pipe: IO[bytes], on_line: Callable[[str], None]) -> None:
    """Hand on what a connector writes to stderr, line by line; a line is cut at 16 KiB."""
    with io.BufferedReader(cast("io.RawIOBase", pipe)) as lines:
        while line := lines.readline(1 << 14):
            text = line.decode(errors="replace").rstrip()
            if text:
                on_line(text)
