"""Which runs still have their process: each holds a lock on a file of its own while it works.

The kernel frees the lock when the process dies, by kill -9 too. A process id would not do: ids are
used again, and one in the event log does not say on which machine it was.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from atlas_dagster.settings import Settings


def workers_dir(settings: Settings) -> Path:
    """Where the processes of runs leave their lock files."""
    return settings.data_dir / "dagster" / "workers"


@contextmanager
def working_on(run_id: str, directory: Path) -> Generator[None]:
    """Hold the lock of a run for a block; the file of a run that ended in any orderly way goes."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / run_id
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def has_died(run_id: str, directory: Path) -> bool:
    """Whether the process of a run took its lock here and is gone.

    False where it never took one: it has not come that far, it has ended in order, or it works on
    another machine, of which we can tell nothing.
    """
    try:
        file = (directory / run_id).open("r")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(file.fileno()).st_nlink > 0  # else it ended since we opened the file
