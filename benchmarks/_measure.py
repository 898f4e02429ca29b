"""What the benchmarks share: a throw-away server, costs in seconds, medians, a table to print."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import psutil

from atlas_dagster import embedded_postgres

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """Seconds: on the clock; of CPU in this process, in its ended children, in the server."""

    wall: float
    own: float
    children: float
    server: float


@dataclass(frozen=True)
class Server:
    """A throw-away PostgreSQL; its data directory is gone when the benchmark ends."""

    data_dir: Path
    url: str

    def database_url(self, name: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def cpu(self) -> float:
        """CPU seconds of the server so far: sessions, workers and background processes."""
        pid_file = self.data_dir / "postgres" / "postmaster.pid"
        postmaster = psutil.Process(int(pid_file.read_text().splitlines()[0]))
        times = postmaster.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        for child in postmaster.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += child.cpu_times().user + child.cpu_times().system
        return total


@contextmanager
def throwaway_directory() -> Generator[Path]:
    """A directory that is removed at the end, also where the benchmark is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="atlas-benchmark-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def throwaway_server(data_dir: Path) -> Generator[Server]:
    """The embedded PostgreSQL as Atlas starts it, stopped at the end."""
    try:
        yield Server(data_dir, embedded_postgres.start(data_dir))
    finally:
        embedded_postgres.stop(data_dir)


def measured(work: Callable[[], T], server: Server | None = None) -> tuple[Cost, T]:
    """Run some work once; returns what it cost and what it gave."""
    children, served = _cpu(resource.RUSAGE_CHILDREN), server.cpu() if server else 0.0
    own, began = _cpu(resource.RUSAGE_SELF), time.perf_counter()
    given = work()
    wall = time.perf_counter() - began
    cost = Cost(
        wall,
        own=_cpu(resource.RUSAGE_SELF) - own,
        children=_cpu(resource.RUSAGE_CHILDREN) - children,
        server=(server.cpu() if server else 0.0) - served,
    )
    return cost, given


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*map(statistics.median, _by_figure(costs)))


def total_cost(costs: Sequence[Cost]) -> Cost:
    """The sum of each figure."""
    return Cost(*map(sum, _by_figure(costs)))


def peak_memory() -> int:
    """The most bytes that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of the rounds' ratios: what slows a whole round down cancels out."""
    return statistics.median(first / second for first, second in pairs)


def at_most(value: float, target: float, digits: int = 2) -> str:
    """A figure with its target, and whether it is reached."""
    return f"{value:.{digits}f} (<= {target:g}: {'yes' if value <= target else 'NO'})"


def at_least(value: float, target: float, digits: int = 2) -> str:
    """A figure with its target, and whether it is reached."""
    return f"{value:.{digits}f} (>= {target:g}: {'yes' if value >= target else 'NO'})"


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}")
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
    sys.stdout.flush()


def tell(text: str) -> None:
    """Say on stderr what is going on: stdout is for the tables."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """Where and under which load this was measured."""
    load = os.getloadavg()[0]
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} cores, load {load:.1f}, Python {version}, PostgreSQL 18 embedded"


def compile_bytecode() -> None:
    """Let what is started from here keep its bytecode, as after `make install`."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def adopt_orphans() -> None:
    """Count what our children leave behind as our children (Linux: PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def reap_orphans() -> None:
    """Wait for all that `adopt_orphans` brought us, so that its CPU seconds count."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _by_figure(costs: Sequence[Cost]) -> Iterable[tuple[float, ...]]:
    return zip(*((c.wall, c.own, c.children, c.server) for c in costs), strict=True)


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
