"""Processes of Dagster's as an operator sees them: started, watched, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import psutil

from atlas_dagster_tests.integration.project import Project

PATIENCE_SECONDS = 180.0

_T = TypeVar("_T")


def until(look: Callable[[], _T], project: Project) -> _T:
    """Wait for the first true answer; where none comes, fail with what was logged."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := look()):
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-4000:] for path in project.root.glob("*.log"))
            raise AssertionError(f"waited in vain; {logs}")
        time.sleep(0.05)
    return answer


def daemon(project: Project) -> AbstractContextManager[subprocess.Popen[str]]:
    """`dagster-daemon run` for the length of a block."""
    return running(project, sys.executable, "-m", "dagster._daemon", "run", log="daemon.log")


@contextmanager
def running(project: Project, *command: str, log: str) -> Iterator[subprocess.Popen[str]]:
    """A command for the length of a block; nothing that it started outlives the block."""
    process = project.start(*command, log=log)
    try:
        yield process
    finally:
        kill_tree(process)


def kill_tree(process: subprocess.Popen[str]) -> None:
    """kill -9 of a command and of all that it started, as the end of its container would."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for each in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()


def kill_group(process: subprocess.Popen[str]) -> None:
    """kill -9 of a command's own process group, as an operator's would; connectors have theirs."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def statuses(project: Project) -> list[tuple[str, str]]:
    """Job and status of every run, in the order of their creation."""
    return project.rows("select pipeline_name, status from public.runs order by id")


def worker_pid(project: Project, run: int) -> int:
    """The process of the run that was created so many runs after the first."""
    found = project.rows(
        "select substring(e.event from 'Started process for run .pid: (\\d+)')"
        " from public.event_logs e join public.runs r using (run_id)"
        " where r.run_id = (select run_id from public.runs order by id offset %s limit 1)"
        " and e.event like '%%Started process for run%%'",
        run,
    )
    return int(found[0][0]) if found else 0
