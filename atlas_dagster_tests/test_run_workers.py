"""Which runs have died: the kernel knows, and a run that ended in order is not among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from atlas_dagster.run_workers import has_died, working_on

WORKER = """
import sys
from pathlib import Path
from atlas_dagster.run_workers import working_on
with working_on("run", Path(sys.argv[1])):
    print("working", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "workers"


def test_a_run_that_was_never_seen_here_may_be_alive_elsewhere(directory: Path) -> None:
    assert not has_died("run", directory)


def test_a_run_lives_until_its_process_is_killed(directory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "working\n"
        assert not has_died("run", directory)
        worker.kill()
        worker.wait()
    assert has_died("run", directory)
    assert has_died("run", directory), "it stays dead until its run is failed"


def test_a_run_that_ends_in_order_leaves_nothing(directory: Path) -> None:
    with working_on("run", directory):
        pass
    assert not has_died("run", directory)
    assert list(directory.iterdir()) == []


def test_a_run_that_ends_by_an_error_leaves_nothing(directory: Path) -> None:
    with pytest.raises(ZeroDivisionError), working_on("run", directory):
        raise ZeroDivisionError
    assert not has_died("run", directory)


def test_a_child_of_the_run_does_not_keep_it_alive(directory: Path) -> None:
    with working_on("run", directory):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
        (directory / "run").rename(directory / "held")  # so that its end does not unlink it
    try:
        assert has_died("held", directory)
    finally:
        child.kill()
        child.wait()
