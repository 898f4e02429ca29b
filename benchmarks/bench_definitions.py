"""What loading the definitions costs beyond `import dagster`, and what it imports.

Each measurement is a fresh interpreter that does what a code location does: import the module,
build the repository and every job, and write the snapshot that goes to the webserver and daemon
(as Dagster's code server does, without those of jobs, which it sends when they are asked for).
The peer is plain Dagster: as many assets, checks and jobs whose functions do nothing. A run worker
is measured too: what it costs to have the job of its run.
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
from _project import (
    COLUMNS,
    STREAMS_A_CONNECTION,
    connections_of,
    project_environment,
    write_project,
)

CPU_TARGETS = {100: 2.0, 1000: 10.0, 5000: 50.0}  # seconds, by streams
WORKER_TARGETS = {1000: 3.0}
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
    defs.load_all_definitions()
    return defs

def snapshot(repository):
    from dagster._core.remote_representation.external_data import RepositorySnap
    return RepositorySnap.from_def(repository, defer_snapshots=True)

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
    "checks": len(repository.asset_graph.asset_check_keys),
    "modules": sorted(
        {name.partition(".")[0] for name in set(sys.modules) - dagster_modules}
        - sys.stdlib_module_names
        - {name.partition(".")[0] for name in dagster_modules}
    ),
    "all": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


WORKER = """
import sys, time
import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
import atlas_dagster.airbyte.workspace, atlas_dagster.defs.repository

runs = {
    "a connection": ("many_0", None),
    "one asset": ("__ASSET_JOB", {dg.AssetKey(["explore", "many_0", "stream_0"])}),
}
name, keys = runs[sys.argv[1]]
began = time.process_time()
repository = ReconstructableRepository(ModuleCodePointer("atlas_dagster.definitions", "defs"))
ReconstructableJob(repository, name, asset_selection=keys).get_definition()
print(time.process_time() - began)
"""
RUNS = ("a connection", "one asset")


@dataclass(frozen=True)
class Load:
    """One load of the definitions: CPU seconds by step, bytes, kilobytes of memory."""

    dagster: float
    steps: dict[str, float]
    payload: int
    rss: int
    assets: int
    checks: int
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
    sizes, rounds = ([100], 1) if options.quick else ([10, 100, 1000, 5000], 3)
    loads: dict[int, list[Load]] = {streams: [] for streams in sizes}
    plain: dict[int, list[float]] = {streams: [] for streams in sizes}
    workers: dict[int, dict[str, list[float]]] = {
        streams: {run: [] for run in RUNS} for streams in sizes
    }
    with throwaway_directory() as directory:
        for streams in sizes:
            write_project(directory / str(streams), connections_of(streams))
            load(directory / str(streams))  # bytecode
        for number in range(rounds):
            tell(f"round {number + 1}")
            for streams in sizes:
                project = directory / str(streams)
                loaded = load(project)
                loads[streams].append(loaded)
                plain[streams].append(load_plain(streams, loaded.checks // streams))
                for run in RUNS:
                    workers[streams][run].append(float(interpret(project, WORKER, run)))
    report(loads, plain)
    report_workers(workers)


def load(project: Path) -> Load:
    return Load(**json.loads(interpret(project, LOAD)))


def load_plain(streams: int, checks: int) -> float:
    """CPU seconds of the peer, with so many checks a stream."""
    program = Path(__file__).parent / "_plain_definitions.py"
    arguments = [str(number) for number in (streams, STREAMS_A_CONNECTION, checks)]
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def interpret(project: Path, *program: str) -> str:
    """What a program prints in a fresh interpreter, in the environment of a project."""
    done = subprocess.run(
        [sys.executable, "-c", *program],
        env=project_environment(project),
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"loading the definitions failed: {done.stderr[-2000:]}")
    return done.stdout


def report(loads: dict[int, list[Load]], plain: dict[int, list[float]]) -> None:
    steps = list(next(iter(loads.values()))[0].steps)
    rows: list[list[str]] = []
    for streams, rounds in loads.items():
        total = statistics.median(r.total for r in rounds)
        rows.append(
            [
                f"{streams:,}",
                f"{rounds[0].assets:,}",
                f"{rounds[0].checks:,}",
                f"{statistics.median(r.dagster for r in rounds):.2f}",
                *(f"{statistics.median(r.steps[name] for r in rounds):.2f}" for name in steps),
                at_most(total, CPU_TARGETS[streams]) if streams in CPU_TARGETS else f"{total:.2f}",
                f"{total / statistics.median(plain[streams]):.2f}",
                f"{rounds[0].payload / 1e6:.1f}",
                f"{max(r.rss for r in rounds) / 1024:.0f}",
            ]
        )
    count = len(next(iter(loads.values())))
    print_table(
        f"Loading definitions, {COLUMNS} columns a stream, {STREAMS_A_CONNECTION} streams a"
        f" connection, CPU seconds, {count} rounds, medians ({machine()})",
        [
            "streams",
            "assets",
            "checks",
            "import dagster",
            *steps,
            "sum beyond it",
            "of plain Dagster",
            "MB sent",
            "MB memory",
        ],
        rows,
    )
    last = list(loads.values())[-1][0]
    for what, names in (("must not be loaded", FORBIDDEN), ("heavy", HEAVY)):
        found = [name for name in names if name in last.all]
        print(f"{what}: {', '.join(names)}; found: {', '.join(found) or 'none'}")
    packages = [name for name in last.modules if not name.startswith("_")]
    print(f"packages that `import dagster` does not load: {', '.join(packages)}")


def report_workers(workers: dict[int, dict[str, list[float]]]) -> None:
    rows = [
        [
            f"{streams:,}",
            *(
                at_most(statistics.median(runs[run]), WORKER_TARGETS[streams])
                if streams in WORKER_TARGETS
                else f"{statistics.median(runs[run]):.2f}"
                for run in RUNS
            ),
        ]
        for streams, runs in workers.items()
    ]
    print_table(
        "What a run worker builds for its job, CPU seconds beyond imports, medians",
        ["streams", *(f"run of {run}" for run in RUNS)],
        rows,
    )


if __name__ == "__main__":
    main()
