"""The scan for personal data, beside Presidio on every value and beside reading the table.

Presidio is asked about a sample of each field's values, one process, the same recognizers and the
field's name as context; its time for the whole table is extrapolated from that. The scan's time is
that of all it does: it reads the records out of PostgreSQL, counts distinct values, and scans them.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from _measure import (
    Cost,
    Server,
    at_least,
    at_most,
    machine,
    measured,
    peak_memory,
    print_table,
    tell,
    throwaway_directory,
    throwaway_server,
)
from _pii_tables import Maker, Record, fill, stream_of
from psycopg import sql

from atlas_dagster.pii.context import context_of
from atlas_dagster.pii.findings import FieldFindings
from atlas_dagster.pii.recognizers import Analyzer, load_analyzer
from atlas_dagster.pii.scan import Scanner
from atlas_dagster.pii.source import stream_values
from atlas_dagster.warehouse import PgConnection, connect, identifier

TARGETS = {"users": 50.0, "mixed": 50.0, "hard": 10.0}
READ_TARGET = 3.0
MEMORY_TARGET_MB = 500
ALL_DAYS = (date.min, date.max)
NO_FILE = Path("there is no file of recognizers")


@dataclass(frozen=True)
class Seconds:
    """On the clock, and of CPU in this process and in the server."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Measured:
    """One table: values in all, the cost of reading it, of the scan, of Presidio (extrapolated)."""

    kind: str
    values: int
    read: Seconds
    scan: Seconds
    presidio: Seconds
    fields: tuple[tuple[FieldFindings, float], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--hard-rows", type=int, default=20_000)
    parser.add_argument("--sample", type=int, default=150, help="values a field for Presidio")
    parser.add_argument("--distinct", type=int, default=5_000_000, help="0: no memory is measured")
    parser.add_argument("--structured", help="a Python that has presidio-structured")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="the time of each field, too")
    arguments = parser.parse_args()
    if arguments.memory_of:
        _scan_once(arguments.memory_of)
        return
    with throwaway_directory() as directory, throwaway_server(directory) as server:
        run(server, arguments)


def run(server: Server, arguments: argparse.Namespace) -> None:
    analyzer = load_analyzer(NO_FILE)
    tables = [
        _measure(server, analyzer, kind, rows, arguments)
        for kind, rows in (
            ("users", arguments.rows),
            ("mixed", arguments.rows),
            ("hard", arguments.hard_rows),
            ("words", arguments.rows),
        )
    ]
    print(machine())
    _print_rates(tables)
    _print_reading(tables)
    if arguments.verbose:
        _print_fields(tables)
    if arguments.distinct:
        _print_memory(server, arguments.distinct)


def _measure(
    server: Server, analyzer: Analyzer, kind: str, rows: int, arguments: argparse.Namespace
) -> Measured:
    tell(f"{kind}: {rows:,} records")
    stream = stream_of(kind)
    with connect(server.url) as connection:
        fill(connection, stream, Maker().records(kind, rows))
        reads = [_seconds(measured(lambda: _read(connection, kind), server)[0]) for _ in range(3)]
        scanner = Scanner(analyzer)  # what it remembers, it learns in here
        cost, fields = measured(lambda: list(_scan(connection, scanner, kind)), server)
    tell(f"{kind}: {cost.wall:.1f} s; Presidio on {arguments.sample} values a field")
    presidio = _presidio(analyzer, kind, rows, arguments)
    values = sum(found.rows for found, _ in fields)
    read = Seconds(min(one.wall for one in reads), min(one.cpu for one in reads))
    return Measured(kind, values, read, _seconds(cost), presidio, tuple(fields))


def _seconds(cost: Cost) -> Seconds:
    return Seconds(cost.wall, cost.own + cost.server)


def _read(connection: PgConnection, kind: str) -> int:
    """Reading all records, as fast as they come, and doing nothing with them."""
    query = sql.SQL("copy (select data from {}) to stdout").format(
        identifier(stream_of(kind).explore)
    )
    with connection.cursor().copy(query) as copy:
        return sum(len(row) for row in copy)


def _scan(
    connection: PgConnection, scanner: Scanner, kind: str
) -> Iterator[tuple[FieldFindings, float]]:
    with stream_values(connection, stream_of(kind), ALL_DAYS) as values:
        for field in values.fields:
            began = time.perf_counter()
            found = scanner.scan(field.path, field.chunks, context_of(field.path))
            yield found, time.perf_counter() - began


def _presidio(analyzer: Analyzer, kind: str, rows: int, arguments: argparse.Namespace) -> Seconds:
    """Seconds that BatchAnalyzerEngine would take for all values of a table."""
    from presidio_analyzer import BatchAnalyzerEngine

    engine = BatchAnalyzerEngine(analyzer.engine)
    columns = _columns(kind, rows, arguments.sample)

    def analyze() -> None:
        for result in engine.analyze_dict(columns, language="en"):
            list(result.recognizer_results)

    taken = _seconds(measured(analyze)[0])
    if arguments.structured:
        _structured(arguments.structured, kind, columns, taken.wall)
    times = rows / arguments.sample
    return Seconds(taken.wall * times, taken.cpu * times)


def _columns(kind: str, rows: int, sample: int) -> dict[str, list[str]]:
    """Values of as many records as the sample has, chosen at random, by field."""
    chosen = set(random.Random(2).sample(range(rows), sample))
    columns: dict[str, list[str]] = {}
    for number, record in enumerate(Maker().records(kind, rows)):
        if number in chosen:
            for name, value in _flat(record):
                columns.setdefault(name, []).append(value)
    return columns


def _flat(record: Record) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, str(value)


STRUCTURED = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import pandas, tldextract.tldextract as extracting
extracting.TLD_EXTRACTOR = extracting.TLDExtract(suffix_list_urls=(), cache_dir=None)
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine
from presidio_structured import PandasAnalysisBuilder
nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": ""}])
nlp.load()
registry = RecognizerRegistry()
registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
builder = PandasAnalysisBuilder(AnalyzerEngine(registry=registry, nlp_engine=nlp))
frame = pandas.DataFrame(json.load(sys.stdin))
began = time.perf_counter()
builder.generate_analysis(frame)
print(time.perf_counter() - began)
"""


def _structured(python: str, kind: str, columns: dict[str, list[str]], taken: float) -> None:
    done = subprocess.run(
        [python, "-c", STRUCTURED],
        input=json.dumps(columns),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tell(f"presidio-structured failed: {done.stderr.strip().splitlines()[-1]}")
        return
    seconds = float(done.stdout)
    values = sum(map(len, columns.values()))
    print(
        f"{kind}: presidio-structured {values / seconds:,.0f} values/s,"
        f" BatchAnalyzerEngine {values / taken:,.0f} values/s, on {values:,} values"
    )


def _print_rates(tables: list[Measured]) -> None:
    rows = [
        [
            table.kind,
            f"{table.values:,}",
            f"{sum(found.distinct_values for found, _ in table.fields):,}",
            f"{table.scan.wall:.1f}",
            f"{table.values / table.scan.wall:,.0f}",
            f"{table.presidio.wall:,.0f}",
            f"{table.values / table.presidio.wall:,.0f}",
            _times(table.kind, table.presidio.wall / table.scan.wall),
            _times(table.kind, table.presidio.cpu / table.scan.cpu),
        ]
        for table in tables
    ]
    header = ["table", "values", "distinct", "scan s", "values/s"]
    header += ["Presidio s (extrapolated)", "values/s", "times faster", "in CPU"]
    print_table("The scan, and Presidio's BatchAnalyzerEngine", header, rows)


def _times(kind: str, times: float) -> str:
    return at_least(times, TARGETS[kind], 1) if kind in TARGETS else f"{times:.1f}"


def _print_reading(tables: list[Measured]) -> None:
    rows = [
        [
            table.kind,
            f"{table.read.wall:.2f}",
            f"{table.scan.wall:.2f}",
            _longer(table.kind, table.scan.wall / table.read.wall),
            _longer(table.kind, table.scan.cpu / table.read.cpu),
        ]
        for table in tables
    ]
    header = ["table", "read s", "scan s", "×", "× in CPU"]
    print_table("The scan, and COPY of the same records", header, rows)


def _longer(kind: str, times: float) -> str:
    return at_most(times, READ_TARGET) if kind == "words" else f"{times:.1f}"


def _print_fields(tables: list[Measured]) -> None:
    rows = [
        [
            f"{table.kind} {'.'.join(found.path)}",
            f"{found.distinct_values:,}",
            f"{seconds:.2f}",
            f"{seconds / found.distinct_values * 1e6:.1f}",
            " ".join(f"{one.entity}:{one.rows / found.rows:.0%}" for one in found.entities),
        ]
        for table in tables
        for found, seconds in table.fields
    ]
    print_table("By field", ["field", "distinct", "s", "µs/value", "found"], rows)


def _print_memory(server: Server, distinct: int) -> None:
    """In a process of its own: what a field of so many distinct values takes."""
    tell(f"memory: {distinct:,} distinct values")
    stream = stream_of("long")
    with connect(server.url) as connection:
        records: Iterator[dict[str, Any]] = (
            {"name": f"Customer number {n} of the shop in the old town"} for n in range(distinct)
        )
        fill(connection, stream, records)
    done = subprocess.run(
        [sys.executable, __file__, "--memory-of", server.url],
        capture_output=True,
        text=True,
        check=True,
    )
    before, peak, seconds, found = json.loads(done.stdout)
    print_table(
        "Memory of a field of distinct values",
        ["values", "seconds", "before, MB", "peak, MB"],
        [
            [
                f"{found:,}",
                f"{seconds:.1f}",
                f"{before:.0f}",
                at_most(peak, MEMORY_TARGET_MB, 0),
            ]
        ],
    )


def _scan_once(url: str) -> None:
    scanner = Scanner(load_analyzer(NO_FILE))
    before, began = peak_memory(), time.perf_counter()
    with connect(url) as connection:
        ((found, _),) = _scan(connection, scanner, "long")
    print(
        json.dumps(
            [
                before / 1e6,
                peak_memory() / 1e6,
                time.perf_counter() - began,
                found.distinct_values,
            ]
        )
    )


if __name__ == "__main__":
    main()
