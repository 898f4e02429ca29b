"""Run a command and take its process group down when our own process is gone.

`guard.py DIRECTORY COMMAND…`: the directory, which holds secrets, goes with the parent. A script,
run by path with the standard library alone. Its stdin is a pipe that the parent holds open and
never writes to: the kernel closes it when the parent dies, even by kill -9.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import threading
from collections.abc import Sequence


def main(directory: str, command: Sequence[str]) -> int:
    """Run the command; returns its exit code, 128 + n where signal n ended it."""
    child = os.fork()
    if child == 0:
        _become(command)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # meant for the command, whose code we report
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(directory,), daemon=True).start()
    os.close(1)  # the reader sees the end of the output when the command ends
    _, status = os.waitpid(child, 0)
    if select.select([0], [], [], 0)[0]:  # the command noticed the parent's death before we did
        shutil.rmtree(directory, ignore_errors=True)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(command: Sequence[str]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        os.execv(command[0], list(command))
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(126)


def _end_with_parent(directory: str) -> None:
    if os.read(0, 1) == b"":
        shutil.rmtree(directory, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
