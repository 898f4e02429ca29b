"""The files that an operator edits: whether a run could do with them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from atlas_dagster.airbyte.config_store import refuse_unset
from atlas_dagster.airbyte.snapshot import served_slugs
from atlas_dagster.airbyte.workspace import build_workspace
from atlas_dagster.catalog import Connection, Stream, Table
from atlas_dagster.charted_contract import charted_contract, charted_mistakes
from atlas_dagster.config import load_connections
from atlas_dagster.doctor.database import is_asleep, warehouse_url
from atlas_dagster.doctor.probes import Finding, doubtful, well, wrong
from atlas_dagster.errors import AtlasError, WarehouseError
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.layers.known_fields import refuse_unknown_fields
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.pii.store import load_verdicts
from atlas_dagster.pii_rules import Action, PiiPolicy
from atlas_dagster.qalita.mapping import load_mapping
from atlas_dagster.quality.user_file import checks_file, read_user_file, stray_files
from atlas_dagster.rules import AtlasRules, load_rules
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, connect, table_exists
from atlas_dagster.yaml_source import shown_path

CONNECT_SECONDS = 5


def look_at_files(settings: Settings) -> Iterator[Finding]:
    """The files of `config/`, each read to its end, or to its first mistake."""
    try:
        embedded = load_connections(settings)
    except AtlasError as error:
        yield wrong("config", str(error))
        yield from _others(settings)
        for path in (settings.atlas_file, settings.checks_dir):
            if path.exists():
                why = f"not read: {settings.connections_file.name} has a mistake"
                yield doubtful("config", f"{shown_path(path)}: {why}")
        return
    yield from _read(settings.connections_file, *(partial(refuse_unset, one) for one in embedded))
    yield from _others(settings)
    connections = _connections(settings)
    with _warehouse(settings) as warehouse:
        try:
            rules = load_rules(settings, served_slugs(settings))
        except AtlasError as error:
            yield wrong("config", str(error))
            rules = AtlasRules()
        else:
            yield from _rules(settings, rules, connections, warehouse)
        yield from _checks(settings, rules, connections, warehouse)


def _others(settings: Settings) -> Iterator[Finding]:
    yield from _read(settings.config_dir / "qalita.json", lambda: load_mapping(settings.config_dir))
    yield from _read(settings.recognizers_file, lambda: _read_recognizers(settings))


def _read(path: Path, *reads: Callable[[], object]) -> Iterator[Finding]:
    """Whether a file is valid, if it is there."""
    if path.is_file():
        mistakes = [found for read in reads for found in _mistake(read)]
        yield from mistakes or [well("config", f"{shown_path(path)}: valid")]


def _mistake(read: Callable[[], object]) -> Iterator[Finding]:
    try:
        read()
    except AtlasError as error:
        yield wrong("config", str(error))


def _read_recognizers(settings: Settings) -> None:
    from atlas_dagster.pii.recognizers import load_recognizers

    load_recognizers(settings.recognizers_file)


def _rules(
    settings: Settings,
    rules: AtlasRules,
    connections: Sequence[Connection],
    warehouse: PgConnection | None,
) -> Iterator[Finding]:
    """Whether rules that can be read fit the columns that streams have had, and have their key."""
    found: list[Finding] = []
    file = shown_path(settings.atlas_file)
    if settings.pii_hash_key is None and any(map(_hashes, _policies(rules))):
        told = f"ATLAS_PII_HASH_KEY: not set, and a policy of {file} hashes"
        found.append(wrong("config", told))
    if warehouse is not None:
        for stream in _layered(connections):
            found += _mistake(partial(_refuse_misfits, warehouse, rules, stream))
    if settings.atlas_file.is_file():
        yield from found or [well("config", f"{file}: valid")]


def _layered(connections: Sequence[Connection]) -> Iterator[Stream]:
    return (stream for one in connections if one.has_layers for stream in one.streams)


def _policies(rules: AtlasRules) -> Iterator[PiiPolicy]:
    yield rules.pii
    for connection in rules.connections.values():
        yield connection.pii
        yield from (stream.pii for stream in connection.streams.values())


def _hashes(policy: PiiPolicy) -> bool:
    return any(
        Action.HASH in (scope.default, *scope.entities.values(), *scope.columns.values())
        for scope in policy.scopes
    )


def _connections(settings: Settings) -> Sequence[Connection]:
    """Embedded ones and those of a server, by their catalogs as last fetched."""
    workspace = build_workspace(settings)
    served = [found.connection for found in workspace.server_connections()]
    return [*workspace.connections(), *served]


def _checks(
    settings: Settings,
    rules: AtlasRules,
    connections: Sequence[Connection],
    warehouse: PgConnection | None,
) -> Iterator[Finding]:
    """The files of `config/checks`, each against the stream that it is about."""
    slugs = {one.slug: [s.slug for s in one.streams] for one in connections}
    for error in stray_files(settings, slugs):
        yield wrong("config", str(error))
    for connection in connections:
        for stream in connection.streams:
            path = checks_file(settings, connection.slug, stream.slug)
            if not path.is_file():
                continue
            try:
                mistakes = [*read_user_file(path, stream, connection.streams).mistakes]
                if warehouse and not mistakes:
                    made = charted_contract(warehouse, settings, connection, rules, stream)
                    mistakes = charted_mistakes(warehouse, made)
            except AtlasError as error:
                mistakes = [error]
            yield from (wrong("config", str(mistake)) for mistake in mistakes[:1])
            if not mistakes:
                yield well("config", f"{shown_path(path)}: valid")


@contextmanager
def _warehouse(settings: Settings) -> Generator[PgConnection | None]:
    """The warehouse, if it answers, which is told elsewhere, and has our tables."""
    if is_asleep(settings):
        yield None
        return
    try:
        connection = connect(
            warehouse_url(settings), application="atlas doctor", seconds=CONNECT_SECONDS
        )
    except WarehouseError:
        yield None
        return
    with connection:
        has_tables = table_exists(connection, Table("pipeline", "stream_column"))
        yield connection if has_tables else None


def _refuse_misfits(warehouse: PgConnection, rules: AtlasRules, stream: Stream) -> None:
    """Raise ConfigError, as chart would, where rules name what the stream does not have."""
    chosen, known = (
        rules.stream(stream.connection, stream.slug),
        registered_stream(warehouse, stream),
    )
    if known.columns:
        found = (verdict.path for verdict in load_verdicts(warehouse, stream.table_name))
        refuse_unknown_fields(warehouse, known, chosen, found)
        history_rules(known, chosen)
