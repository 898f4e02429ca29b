"""A scan of a stream's quality in a run: which checks are made, of what rows, and what is kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from atlas_dagster.assets.partitions import days_between, named_days
from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.catalog_store import load_connection, synced_stream
from atlas_dagster.charted_contract import ChartedContract, charted_contract
from atlas_dagster.errors import WarehouseError
from atlas_dagster.quality.contract import judge_file
from atlas_dagster.quality.database_errors import sentence
from atlas_dagster.quality.engine import TIMEOUT, run_checks
from atlas_dagster.quality.failed_rows import personal_fields, save_failed_rows
from atlas_dagster.quality.gate import scanning
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.score import Score, score
from atlas_dagster.quality.spec import Check, Outcome
from atlas_dagster.quality.store import mark_rows, save_scan, start_scan
from atlas_dagster.rules import AtlasRules
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, table_exists


@dataclass(frozen=True)
class QualityRun:
    """The stream, by the definitions, whose quality a run scans, and the partitions that it is for.

    ``keys`` are those of the first and the last one, None where all of chart is scanned.
    """

    connection: PgConnection
    stream: Stream
    rules: AtlasRules
    keys: tuple[str, str] | None
    run_id: str

    @property
    def rows(self) -> Scan:
        """The rows that are scanned: the first and the last partition have no end."""
        return Scan(self.stream.chart, days_between(*self.keys) if self.keys else None)

    @property
    def scope(self) -> Scan:
        """What a scan is kept under: the days themselves."""
        return Scan(self.stream.chart, named_days(*self.keys) if self.keys else None)

    def load_catalog(self) -> Connection:
        """The connection as of its last sync.

        Raises WarehouseError where it was never synced, or the stream has no chart.
        """
        catalog = load_connection(self.connection, self.stream.connection)
        synced_stream(catalog, self.stream.slug)
        if not table_exists(self.connection, self.stream.chart):
            raise WarehouseError(f"{self.stream.label}: chart is empty; materialize it first")
        return catalog

    def load_checks(self, catalog: Connection) -> ChartedContract:
        """What can be checked of the stream; raises ConfigError where its file is wrong."""
        stream = synced_stream(catalog, self.stream.slug)
        return charted_contract(self.connection, load_settings(), catalog, self.rules, stream)


@dataclass(frozen=True)
class Kept:
    """What of a scan is in PostgreSQL.

    ``scored`` counts the rows of chart that have another score than before, ``sampled`` the failed
    rows that are kept. ``problem`` says why nothing could be kept, ``note`` why there is no sample.
    """

    scan_id: int | None = None
    scored: int = 0
    sampled: int = 0
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class FullScan:
    """What came of all checks of a stream's chart, and what was kept of it."""

    outcomes: tuple[Outcome, ...]
    score: Score
    kept: Kept


def scan_some(run: QualityRun, names: Collection[str]) -> list[Outcome]:
    """What comes of some checks of chart; nothing is kept of it.

    Those that are no more are left out. Raises AtlasError where none can be made.
    """
    return _outcomes(run, run.load_checks(run.load_catalog()), "chart", names)


def scan_all(run: QualityRun) -> FullScan:
    """What comes of all checks of chart: kept, with a sample of failed rows, and a score on rows.

    The gate is closed while the scan lasts: one that is killed leaves it so. Raises AtlasError
    where no check can be made.
    """
    catalog = run.load_catalog()
    started, kept = None, None
    with ExitStack() as scan:
        try:
            scan.enter_context(scanning(run.connection, run.stream.table_name))
            started = start_scan(run.connection, run.scope, run.run_id)
        except psycopg.Error as error:
            kept = Kept(problem=sentence(error, TIMEOUT))
        made = run.load_checks(catalog)
        outcomes = tuple(_outcomes(run, made, "chart", None))
        graded = score(outcomes)
        kept = kept or _keep(run, made, "chart", outcomes, graded, started)
    return FullScan(outcomes, graded, kept)


def scan_history(run: QualityRun, names: Collection[str]) -> tuple[list[Outcome], Kept]:
    """What comes of some checks of navigate; of all of them it is kept, beside those of chart.

    Raises AtlasError where none can be made.
    """
    made = run.load_checks(run.load_catalog())
    outcomes = _outcomes(run, made, "navigate", names)
    every = [check for check in made.policed.checks if check.layer == "navigate"]
    if len(outcomes) < len(every):
        return outcomes, Kept()
    return outcomes, _keep(run, made, "navigate", outcomes, score(outcomes))


def _outcomes(
    run: QualityRun, made: ChartedContract, layer: str, names: Collection[str] | None
) -> list[Outcome]:
    """The outcomes of the checks of a layer; ``names``: of these alone."""

    def is_wanted(check: Check) -> bool:
        return check.layer == layer and (names is None or check.name in names)

    file = judge_file(made.contract)
    untested = [*made.policed.not_checked, *([file] if file else [])]
    return [
        *run_checks(run.connection, run.rows, [c for c in made.policed.checks if is_wanted(c)]),
        *(outcome for outcome in untested if is_wanted(outcome.check)),
    ]


def _keep(
    run: QualityRun,
    made: ChartedContract,
    layer: str,
    outcomes: Sequence[Outcome],
    graded: Score,
    started: int | None = None,
) -> Kept:
    connection = run.connection
    try:
        with connection.transaction():
            scan_id = save_scan(connection, run.scope, outcomes, graded, run.run_id, layer, started)
            scored = mark_rows(connection, run.rows, graded) if layer == "chart" else 0
    except psycopg.Error as error:
        return Kept(problem=sentence(error, TIMEOUT))
    try:
        sampled = _sample(run, made.charted, scan_id, outcomes)
    except psycopg.Error as error:
        return Kept(scan_id, scored, note=sentence(error, TIMEOUT))
    return Kept(scan_id, scored, sampled)


def _sample(run: QualityRun, stream: Stream, scan_id: int, outcomes: Sequence[Outcome]) -> int:
    key = run.rules.stream(stream.connection, stream.slug).natural_key or stream.primary_key
    personal = personal_fields(run.connection, stream, key)
    return save_failed_rows(run.connection, run.rows, scan_id, outcomes, personal)
