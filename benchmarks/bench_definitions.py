"""What loading the definitions costs beyond `import dagster`, and what it imports.

Each measurement is a fresh interpreter that does what a code location does: import the module,
build the repository and every job, and write the snapshot that goes to the webserver and daemon.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from _measure import (
    at_most,
    compile_bytecode,
    machine,
    print_table,
    tell,
    throwaway_directory,
)
from _project import COLUMNS, project_environment, write_project

CPU_TARGET = 2.0  # seconds, for TARGET_STREAMS
TARGET_STREAMS = 100
STREAMS_A_CONNECTION = 25
FORBIDDEN = ("presidio_analyzer", "spacy", "soda", "soda_core", "soda_postgres", "pandas")
HEAVY = ("numpy", "polars", "pyarrow", "scipy", "torch", "sqlalchemy", "alembic", "pgserver")

LOAD = """
import json, resource, sys, time

def cpu():
    return time.process_time()

began = cpu()
import dagster
dagster_cpu, dagster_modules = cpu() - began, set(sys.modules)

steps = {}
def step(name, work):
    began = cpu()
    given = work()
    steps[name] = cpu() - began
    return given

def load():
    from atlas_dagster.definitions import defs
    return defs

def modules():
    import atlas_dagster.airbyte.workspace
    import atlas_dagster.defs.code_location

def resolve(defs):
    repository = defs.get_repository_def()
    repository.load_all_definitions()
    return repository

def snapshot(repository):
    from dagster._core.remote_representation.external_data import RepositorySnap
    return RepositorySnap.from_def(repository)

def serialize(snap):
    from dagster._serdes import serialize_value
    return serialize_value(snap)

step("imports", modules)
defs = step("objects", load)
repository = step("repository", lambda: resolve(defs))
snap = step("snapshot", lambda: snapshot(repository))
payload = step("serialize", lambda: serialize(snap))
print(json.dumps({
    "dagster": dagster_cpu,
    "steps": steps,
    "payload": len(payload),
    "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    "assets": len(repository.asset_graph.materializable_asset_keys),
    "modules": sorted(
        {name.partition(".")[0] for name in set(sys.modules) - dagster_modules}
        - sys.stdlib_module_names
        - {name.partition(".")[0] for name in dagster_modules}
    ),
    "all": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


@dataclass(frozen=True)
class Load:
    """One load of the definitions: CPU seconds by step, bytes, kilobytes of memory."""

    dagster: float
    steps: dict[str, float]
    payload: int
    rss: int
    assets: int
    modules: list[str]
    all: list[str]

    @property
    def total(self) -> float:
        return sum(self.steps.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 streams, once")
    options = parser.parse_args()
    compile_bytecode()
    sizes, rounds = ([TARGET_STREAMS], 1) if options.quick else ([10, 100, 500], 5)
    loads: dict[int, list[Load]] = {streams: [] for streams in sizes}
    with throwaway_directory() as directory:
        for streams in sizes:
            write_project(directory / str(streams), connections_of(streams))
            load(directory / str(streams))  # bytecode
        for number in range(rounds):
            tell(f"round {number + 1}")
            for streams in sizes:
                loads[streams].append(load(directory / str(streams)))
    report(loads)


def connections_of(streams: int) -> dict[str, int]:
    return {
        f"many_{number}": min(STREAMS_A_CONNECTION, streams - first)
        for number, first in enumerate(range(0, streams, STREAMS_A_CONNECTION))
    }


def load(project: Path) -> Load:
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=project_environment(project),
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"loading the definitions failed: {done.stderr[-2000:]}")
    return Load(**json.loads(done.stdout))


def report(loads: dict[int, list[Load]]) -> None:
    steps = list(next(iter(loads.values()))[0].steps)
    rows: list[list[str]] = []
    for streams, rounds in loads.items():
        total = statistics.median(r.total for r in rounds)
        rows.append(
            [
                f"{streams:,}",
                f"{rounds[0].assets:,}",
                f"{statistics.median(r.dagster for r in rounds):.2f}",
                *(f"{statistics.median(r.steps[name] for r in rounds):.2f}" for name in steps),
                at_most(total, CPU_TARGET) if streams == TARGET_STREAMS else f"{total:.2f}",
                f"{rounds[0].payload / 1e6:.1f}",
                f"{max(r.rss for r in rounds) / 1024:.0f}",
            ]
        )
    count = len(next(iter(loads.values())))
    print_table(
        f"Loading definitions, {COLUMNS} columns a stream, {STREAMS_A_CONNECTION} streams a"
        f" connection, CPU seconds, {count} rounds, medians ({machine()})",
        ["streams", "assets", "import dagster", *steps, "sum beyond it", "MB sent", "MB memory"],
        rows,
    )
    last = list(loads.values())[-1][0]
    for what, names in (("must not be loaded", FORBIDDEN), ("heavy", HEAVY)):
        found = [name for name in names if name in last.all]
        print(f"{what}: {', '.join(names)}; found: {', '.join(found) or 'none'}")
    packages = [name for name in last.modules if not name.startswith("_")]
    print(f"packages that `import dagster` does not load: {', '.join(packages)}")


if __name__ == "__main__":
    main()
