"""``config/atlas.yaml``: how connections are run and how their streams are treated."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from atlas_dagster.catalog_answers import stream_slugs
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.names import slug
from atlas_dagster.pii_rules import PiiPolicy, Scope, read_pii_rules
from atlas_dagster.settings import Settings
from atlas_dagster.yaml_fields import field_names, field_paths
from atlas_dagster.yaml_source import Node, read_yaml, suggestion

_OWNER = re.compile(r"team:.+|[a-zA-Z0-9_.+-]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")


@dataclass(frozen=True)
class StreamRules:
    """How one stream's history is built (``config/atlas.yaml``).

    ``natural_key`` and ``time_column`` override Airbyte's primary key and extraction time;
    changes in ``ignore`` columns alone open no new segment. All are property names.
    ``most_vanishing`` is the largest share of the known keys, 0 to 1, that a full refresh may
    make vanish; one that would do more is not believed until an operator accepts it.
    Explore drops versions that are more than ``retention_days`` old; None: it keeps them for ever.
    ``pii`` says what happens to personal data on the way to chart.
    """

    natural_key: tuple[tuple[str, ...], ...] = ()
    ignore: frozenset[str] = frozenset()
    time_column: str | None = None
    most_vanishing: float = 0.5
    retention_days: int | None = None
    pii: PiiPolicy = field(default_factory=PiiPolicy)


@dataclass(frozen=True)
class ConnectionRules:
    """How one connection is run: ``cron`` in ``timezone`` (none: no schedule), owners, streams.

    ``pii`` is for streams that ``streams`` does not name.
    """

    cron: str | None = None
    timezone: str = "UTC"
    owners: tuple[str, ...] = ()
    streams: Mapping[str, StreamRules] = field(default_factory=dict[str, StreamRules])
    pii: PiiPolicy = field(default_factory=PiiPolicy)


@dataclass(frozen=True)
class AtlasRules:
    """``config/atlas.yaml``, by connection slug; what it does not name gets the defaults."""

    connections: Mapping[str, ConnectionRules] = field(default_factory=dict[str, ConnectionRules])
    pii: PiiPolicy = field(default_factory=PiiPolicy)

    def connection(self, slug: str) -> ConnectionRules:
        return self.connections.get(slug, ConnectionRules(pii=self.pii))

    def stream(self, connection: str, stream: str) -> StreamRules:
        rules = self.connection(connection)
        return rules.streams.get(stream, StreamRules(pii=rules.pii))

    def retention_days(self) -> dict[tuple[str, str], int]:
        """By connection and stream, how many days explore keeps versions, where it has an end."""
        return {
            (connection, stream): rules.retention_days
            for connection, connection_rules in self.connections.items()
            for stream, rules in connection_rules.streams.items()
            if rules.retention_days is not None
        }


def load_rules(settings: Settings, served: Collection[str] | None = ()) -> AtlasRules:
    """The rules of ``config/atlas.yaml``, or the defaults if it is missing.

    Names are checked against the embedded connections and the slugs of those that an Airbyte
    server has (``served``; None: they are not known). Raises ConfigError naming the file, line and
    key of the first mistake.
    """
    root = read_yaml(settings.atlas_file).keys("connections", "pii")
    own = settings.recognizers_file
    pii = _policy(root["pii"], PiiPolicy(), Scope.ALL, own)
    embedded = {connection.slug: connection for connection in load_connections(settings)}
    rules: dict[str, ConnectionRules] = {}
    for name, node in root["connections"].mapping().items():
        connection = embedded.get(slug(name))
        known = [*(connection.name for connection in embedded.values()), *(served or ())]
        if connection is None and known and served is not None and slug(name) not in served:
            raise node.error(f"unknown connection; {suggestion(name, known)}")
        if slug(name) in rules:
            raise node.error(f"has the slug {slug(name)} like another; keep one of them")
        rules[slug(name)] = _connection_rules(node, connection, pii, own)
    return AtlasRules(rules, pii)


def _connection_rules(
    node: Node, connection: EmbeddedConnection | None, outer: PiiPolicy, own: Path
) -> ConnectionRules:
    keys = node.keys("cron", "timezone", "owners", "streams", "pii")
    pii = _policy(keys["pii"], outer, Scope.CONNECTION, own)
    streams: dict[str, StreamRules] = {}
    known = stream_slugs([(s.name, s.namespace) for s in connection.streams]) if connection else {}
    slugs = {name: stream for (name, _), stream in known.items()}  # here, no name stands twice
    for name, item in keys["streams"].mapping().items():
        if connection and name not in slugs:
            raise item.error(f"unknown stream; {suggestion(name, slugs)}")
        stream = slugs.get(name) or slug(name)
        if stream in streams:
            raise item.error(f"has the slug {stream} like another; keep one of them")
        streams[stream] = _stream_rules(item, pii, own)
    return ConnectionRules(
        cron=_cron(keys["cron"]),
        timezone=_timezone(keys["timezone"]),
        owners=tuple(_owner(item) for item in keys["owners"].items()),
        streams=streams,
        pii=pii,
    )


def _stream_rules(node: Node, outer: PiiPolicy, own: Path) -> StreamRules:
    keys = node.keys(
        "natural_key", "ignore", "time_column", "most_vanishing", "retention_days", "pii"
    )
    natural_key = field_paths(keys["natural_key"])
    ignore = field_names(keys["ignore"])
    for path in natural_key:
        if path[0] in ignore:
            raise keys["ignore"].error(f"{path[0]!r} is in natural_key: it cannot be ignored")
    time_column = keys["time_column"]
    return StreamRules(
        natural_key=natural_key,
        ignore=frozenset(ignore),
        time_column=None if time_column.absent else time_column.text("the name of a field"),
        most_vanishing=_share(keys["most_vanishing"], default=0.5),
        retention_days=_days(keys["retention_days"]),
        pii=_policy(keys["pii"], outer, Scope.STREAM, own),
    )


def _policy(node: Node, outer: PiiPolicy, scope: Scope, own: Path) -> PiiPolicy:
    """The rules of a scope before those around it; ``own`` is the file of own recognizers."""
    return outer if node.absent else PiiPolicy((read_pii_rules(node, scope, own), *outer.scopes))


def _share(node: Node, default: float) -> float:
    if node.absent:
        return default
    value = node.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise node.expected("a share from 0 to 1")
    return float(value)


def _days(node: Node) -> int | None:
    if node.absent:
        return None
    if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value < 1:
        raise node.expected("a whole number of days, 1 or more")
    return node.value


def _cron(node: Node) -> str | None:
    if node.absent:
        return None
    what = "a cron expression of 5 fields"
    cron = node.text(what)
    # Dagster is the judge of what its schedules accept; where a cron matters it is loaded already.
    from dagster import DagsterInvalidDefinitionError, ScheduleDefinition

    try:
        ScheduleDefinition(name="schedule", job_name="job", cron_schedule=cron)
    except DagsterInvalidDefinitionError:
        raise node.expected(what) from None
    return cron


def _timezone(node: Node) -> str:
    if node.absent:
        return "UTC"
    what = "a time zone such as Europe/Paris"
    name = node.text(what)
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, not a name, a directory of names
        raise node.expected(what) from None
    return name


def _owner(node: Node) -> str:
    what = "an e-mail address or team:<name>"
    owner = node.text(what)
    if not _OWNER.fullmatch(owner):
        raise node.expected(what)
    return owner
