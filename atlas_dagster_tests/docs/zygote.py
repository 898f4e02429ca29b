"""`atlas` and `dagster` as processes of their own that need not import everything anew.

A process that has imported them forks for each command. In `PATH` stands a small program of the
command's name, which hands over arguments, directory, environment and its three streams.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MAINS = {"atlas": "atlas_dagster.cli", "dagster": "dagster._cli"}
_ALSO = ("atlas_dagster.defs.repository",)
_BIGGEST_REQUEST = 1 << 20

_PROGRAM = """#!{python} -IS
import array, json, os, signal, socket, sys
asked = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
streams = array.array("i", [0, 1, 2])
server.sendmsg([asked], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
server.shutdown(socket.SHUT_WR)
answers = server.makefile()
pid = int(answers.readline())
for each in (signal.SIGTERM, signal.SIGINT):
    signal.signal(each, lambda number, _: os.kill(pid, number))
sys.exit(int(answers.readline()))
"""


@contextmanager
def commands(directory: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Programs `atlas` and `dagster` in a new directory, for the length of a block."""
    directory.mkdir(parents=True)
    address = str(directory / "zygote")
    for name in MAINS:
        program = directory / name
        program.write_text(_PROGRAM.format(python=sys.executable, name=name, address=address))
        program.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", __name__, address],
        cwd=directory,
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def serve(address: str) -> None:
    """Import the commands, and fork for each request, until killed."""
    for module in (*MAINS.values(), *_ALSO):
        importlib.import_module(module)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)  # noqa: T201
        while True:
            request, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(request)
                os._exit(0)
            request.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(request: socket.socket) -> None:
    """Start the command, and tell its process id, and how it ended."""
    asked, streams = _received(request)
    started = os.fork()
    if started == 0:
        request.close()
        name, arguments, cwd, environment = json.loads(asked)
        _become(name, arguments, cwd, environment, streams)
    request.sendall(f"{started}\n".encode())
    _, status = os.waitpid(started, 0)
    request.sendall(f"{os.waitstatus_to_exitcode(status) & 0xFF}\n".encode())


def _received(request: socket.socket) -> tuple[bytes, list[int]]:
    streams = array.array("i")
    asked = b""
    while True:
        part, ancillary, _, _ = request.recvmsg(_BIGGEST_REQUEST, socket.CMSG_LEN(12))
        for _, _, data in ancillary:
            streams.frombytes(data)
        if not part:
            return asked, list(streams)
        asked += part


def _become(
    name: str, arguments: list[str], cwd: str, environment: dict[str, str], streams: list[int]
) -> None:
    """Be the command, to its end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [name, *arguments]
    sys.modules["__main__"].__package__ = None  # or click takes it for the command's name
    ended: SystemExit | None = None
    try:
        importlib.import_module(MAINS[name]).main()
        ended = SystemExit(0)
    except SystemExit as end:
        ended = end
    finally:
        if ended is None:
            traceback.print_exc()
        with contextlib.suppress(OSError):
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_code(ended))


def _code(ended: SystemExit | None) -> int:
    """The exit code of a process that ended so; None: by an error."""
    if ended is None:
        return 1
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


if __name__ == "__main__":
    serve(sys.argv[1])
