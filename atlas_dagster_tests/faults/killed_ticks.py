"""Ticks of a sensor that are killed in their middle."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

from atlas_dagster_tests.assets.daemon import Daemon

Step = tuple[type, str]
"""What counts as a step: a method of a class."""


def tick_and_die(daemon: Daemon, steps: Sequence[Step], instant: int) -> bool:
    """A tick in a process of its own, killed at an instant; False where it did not come so far.

    Even instants are before a step, odd ones after it.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _die_at(instant, steps)
            daemon.evaluate()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def _die_at(instant: int, steps: Sequence[Step]) -> None:
    count = itertools.count()

    def dying(do: Callable[..., Any]) -> Callable[..., Any]:
        def step_of(*arguments: Any, **named: Any) -> Any:
            if next(count) == instant:
                os.kill(os.getpid(), signal.SIGKILL)
            result = do(*arguments, **named)
            if next(count) == instant:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return step_of

    for owner, name in steps:
        setattr(owner, name, dying(getattr(owner, name)))
