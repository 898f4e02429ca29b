"""A scrape: what the tables of `pipeline` say, as Prometheus' metrics.

Series: 8 a connection (3 of them syncs by how they ended), 15 a stream (6 of them by layer), 7 for
the whole, 2 a kind of notice, and one a reason of a refusal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atlas_dagster.errors import ConfigError, WarehouseError
from atlas_dagster.metrics import queries
from atlas_dagster.metrics.current import Current, load_current
from atlas_dagster.metrics.definitions import Definitions, DefinitionsReader
from atlas_dagster.pii_rules import field_name
from atlas_dagster.rules import AtlasRules
from atlas_dagster.warehouse import PgConnection, connect, known_version, schema_version

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10

_STREAM = ("connection", "stream")

Ask: TypeAlias = Callable[[str], list[tuple[Any, ...]]]
"""The rows of a query, about what is current."""


class Scraper:
    """Answers scrapes, one at a time, over one connection that is opened anew where it went."""

    def __init__(self, url: str, definitions: DefinitionsReader) -> None:
        self._url = url
        self._reader = definitions
        self._lock = threading.Lock()
        self._connection: PgConnection | None = None

    def scrape(self) -> bytes:
        """The text format; where PostgreSQL does not answer `atlas_up 0`, and a comment why.

        A comment tells too of files under ``config/`` that cannot be read.
        """
        with self._lock:
            definitions, mistake = self._read_definitions()
            try:
                return mistake + _rendered([_up(1), *self._read_again(definitions)])
            except (psycopg.Error, WarehouseError) as error:
                self.close()
                told = str(error) if isinstance(error, WarehouseError) else _told(error)
                return _comment(told) + mistake + _rendered([_up(0)])

    def _read_definitions(self) -> tuple[Definitions | None, bytes]:
        """The definitions, or a comment on what is wrong with them."""
        try:
            return self._reader.read(), b""
        except ConfigError as error:
            return None, _comment(f"{error}; all connections are told of that ever were synced")

    def _read_again(self, definitions: Definitions | None) -> list[Metric]:
        """Once more where the connection had gone since the last scrape."""
        if self._connection is not None:
            try:
                return self._read(definitions)
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
                self.close()
        return self._read(definitions)

    def close(self) -> None:
        """Close the connection; the next scrape opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _read(self, definitions: Definitions | None) -> list[Metric]:
        if self._connection is None:
            self._connection = connect(
                self._url, application="atlas metrics", seconds=CONNECT_SECONDS
            )
        with self._connection.transaction():
            self._connection.execute("set transaction isolation level repeatable read, read only")
            self._connection.execute(
                f"set local statement_timeout = '{STATEMENT_SECONDS}s'".encode()
            )
            return list(read_metrics(self._connection, definitions))


def read_metrics(
    connection: PgConnection, definitions: Definitions | None = None
) -> Iterator[Metric]:
    """All metrics but `atlas_up`; of a database that is to be migrated, its version alone.

    Without ``definitions`` they are of all connections that ever were synced, and none is of rules.
    """
    version = schema_version(connection)
    yield GaugeMetricFamily("atlas_schema_version", "Version of Atlas' tables", version)
    yield GaugeMetricFamily(
        "atlas_schema_version_known", "Version that this Atlas has", known_version()
    )
    if version == known_version():
        current = load_current(connection, definitions.embedded if definitions else None)
        ask = partial(_rows, connection, current)
        yield from _syncs(ask)
        yield from _layers(ask)
        yield from _quality(ask)
        yield from _personal(ask, definitions)
        yield from _traffic(ask)


def _syncs(ask: Ask) -> Iterator[Metric]:
    counts = CounterMetricFamily(
        "atlas_syncs", "Syncs that ended, by how", labels=["connection", "status"]
    )
    for slug, status, count in ask(queries.SYNC_COUNTS):
        counts.add_metric([slug, status], count)
    yield counts
    yield from _gauges(
        ask(queries.SYNCS),
        ["connection"],
        {
            "atlas_sync_last_success_timestamp_seconds": "When the last good sync ended",
            "atlas_sync_last_end_timestamp_seconds": "When the last sync ended",
            "atlas_sync_last_duration_seconds": "How long the last sync took",
            "atlas_sync_last_succeeded": "Whether the last sync was a good one",
            "atlas_syncs_running": "Syncs that run or wait",
        },
    )
    yield from _gauges(
        ask(queries.STREAM_SYNCS),
        _STREAM,
        {
            "atlas_sync_last_records": "Records of the last good sync, where they are known",
            "atlas_sync_last_bytes": "Bytes of the last good sync, where they are known",
        },
    )


def _layers(ask: Ask) -> Iterator[Metric]:
    labels = [*_STREAM, "layer"]
    yield from _gauges(ask(queries.LAYERS), labels, {"atlas_layer_rows": "Rows of a layer's table"})
    yield from _gauges(
        ask(queries.LAYER_RUNS),
        labels,
        {"atlas_layer_last_run_timestamp_seconds": "When a layer was last built and checked"},
    )


def _quality(ask: Ask) -> Iterator[Metric]:
    yield from _gauges(
        ask(queries.QUALITY),
        _STREAM,
        {
            "atlas_quality_score": "Score of the newest scan of chart, from 0 to 100",
            "atlas_quality_checks_failed": "Checks that failed in it, or could not be evaluated",
            "atlas_quality_checks_warned": "Checks that warned in it",
        },
    )
    yield from _gauges(
        ask(queries.DAYS),
        _STREAM,
        {
            "atlas_gate_held_partitions": "Partitions (days) of chart that the gate holds back",
            "atlas_quality_unfinished_partitions": "Partitions of chart that wait for a scan",
        },
    )


def _personal(ask: Ask, definitions: Definitions | None) -> Iterator[Metric]:
    yield from _gauges(
        ask(queries.PERSONAL_FIELDS),
        _STREAM,
        {"atlas_personal_data_fields": "Fields with personal data, of the newest day scanned"},
    )
    undecided = GaugeMetricFamily(
        "atlas_personal_data_undecided_fields",
        "Fields with personal data that no rule names, of the newest 7 days scanned",
        labels=_STREAM,
    )
    if definitions:
        for (connection, stream), count in _count_undecided(ask, definitions.rules).items():
            undecided.add_metric([connection, stream], count)
    yield undecided


def _count_undecided(ask: Ask, rules: AtlasRules) -> Mapping[tuple[str, str], int]:
    """The fields that no rule names, nor what they hold, by connection and stream scanned."""
    counts: dict[tuple[str, str], int] = {}
    for connection, stream, path, entities in ask(queries.FIELDS):
        policy = rules.stream(connection, stream).pii
        is_undecided = bool(path) and not policy.decide(field_name(path), entities).is_expected
        counts[connection, stream] = counts.get((connection, stream), 0) + is_undecided
    return counts


def _traffic(ask: Ask) -> Iterator[Metric]:
    yield from _gauges(
        ask(queries.DELIVERIES),
        ["state"],
        {"atlas_qalita_deliveries": "Deliveries that wait (open, in_doubt), or were refused"},
    )
    yield from _gauges(
        ask(queries.OLDEST_DELIVERY),
        [],
        {"atlas_qalita_oldest_delivery_timestamp_seconds": "Since when the oldest one waits"},
    )
    yield from _gauges(
        ask(queries.NOTICES),
        ["kind"],
        {
            "atlas_notices_unsettled": "Notices of Airbyte's that no sensor has followed up",
            "atlas_notices_last_hour": "Notices that came in the last hour",
        },
    )
    yield from _gauges(
        ask(queries.REFUSALS),
        ["reason"],
        {"atlas_webhook_refusals_last_hours": "Requests turned away, this hour and the last"},
    )


def _gauges(
    rows: Sequence[tuple[Any, ...]], labels: Sequence[str], named: dict[str, str]
) -> Iterator[Metric]:
    """A gauge for each column behind the labels; what is NULL has no sample."""
    for position, (name, told) in enumerate(named.items(), start=len(labels)):
        family = GaugeMetricFamily(name, told, labels=labels)
        for row in rows:
            if row[position] is not None:
                family.add_metric(list(row[: len(labels)]), row[position])
        yield family


def _rows(connection: PgConnection, current: Current, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), current.parameters).fetchall()


def _up(value: int) -> Metric:
    return GaugeMetricFamily("atlas_up", "Whether PostgreSQL answered as it should", value)


class _Found(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)


def _rendered(metrics: Sequence[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Found(metrics))
    return generate_latest(registry)


def _comment(text: str) -> bytes:
    return f"# {' '.join(text.split())}\n".encode()


def _told(error: psycopg.Error) -> str:
    lines = str(error).strip().splitlines()
    return f"PostgreSQL: {lines[0] if lines else type(error).__name__}"
