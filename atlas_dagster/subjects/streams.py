"""A stream as a search for a person sees it: what it holds, and how it was charted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.catalog_store import load_stream
from atlas_dagster.errors import ConfigError
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.layers.history_rules import HistoryRules, history_rules
from atlas_dagster.layers.policy import (
    NO_POLICY,
    StreamPolicy,
    charted_policy,
    keyed_policy,
    policed_stream,
)
from atlas_dagster.layers.policy_decisions import named_path
from atlas_dagster.layers.stream_columns import registered_stream
from atlas_dagster.pii.store import load_verdicts
from atlas_dagster.pii_rules import Action, Path
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection, table_exists


@dataclass(frozen=True)
class SearchedStream:
    """A stream, ``charted`` with the columns and under the rules that its chart has.

    ``stream`` and ``raw_rules`` are of explore, where no policy was applied; ``keyed`` and
    ``key_rules`` tell the same keys as chart's, with no more of the policy than that takes.
    ``personal`` are the fields with personal data.
    """

    stream: Stream
    charted: Stream
    rules: HistoryRules
    keyed: Stream
    key_rules: HistoryRules
    raw_rules: HistoryRules
    personal: tuple[Path, ...]
    layers: frozenset[str]

    @property
    def policy(self) -> StreamPolicy:
        return self.rules.policy

    @property
    def key(self) -> tuple[Path, ...]:
        return self.rules.key

    @property
    def has_personal_key(self) -> bool:
        """Whether the natural key must not be shown."""
        return any(overlaps(path, self.personal) for path in self.key)

    def is_text(self, name: str) -> bool:
        """Whether chart takes any text for a property; it does for one that it has no column of."""
        column = self.charted.column(name)
        return column is None or column.type in (ColumnType.TEXT, ColumnType.JSONB)


def load_searched(
    connection: PgConnection, slug: str, name: str, rules: StreamRules, secret: str | None
) -> SearchedStream:
    """A stream by its slugs, with the fields that scans or rules call personal.

    Raises ConfigError where chart has hashes and ``secret`` is not the key that made them,
    WarehouseError where the stream is not in the catalog any more.
    """
    stream = registered_stream(connection, load_stream(connection, slug, name))
    policy = _with_key(stream, charted_policy(connection, stream.chart), secret)
    charted = policed_stream(stream, policy)
    key_policy = _key_policy(policy, rules.natural_key or stream.primary_key)
    keyed_stream = policed_stream(stream, key_policy)
    layers = ("explore", "chart", "navigate")
    return SearchedStream(
        stream=stream,
        charted=charted,
        rules=history_rules(charted, rules, policy),
        keyed=keyed_stream,
        key_rules=history_rules(keyed_stream, rules, key_policy),
        raw_rules=history_rules(stream, rules, NO_POLICY),
        personal=_personal_fields(connection, stream, rules),
        layers=frozenset(
            layer for layer in layers if table_exists(connection, Table(layer, stream.table_name))
        ),
    )


def _with_key(stream: Stream, policy: StreamPolicy, secret: str | None) -> StreamPolicy:
    if not policy.hashes:
        return policy
    keyed = keyed_policy(policy, secret) if secret else replace(policy, key_digest=None)
    if keyed != policy:
        raise ConfigError(
            f"{stream.label}: ATLAS_PII_HASH_KEY: not the key that chart was hashed with"
        )
    return keyed


def _key_policy(policy: StreamPolicy, key: Collection[Path]) -> StreamPolicy:
    """What of a policy changes the key: nothing else has to be done to tell it."""
    heads = {path[0] for path in key}
    fields = tuple(f for f in policy.fields if not heads or f.path[0] in heads)
    return replace(policy, fields=fields)


def overlaps(path: Path, others: Collection[Path]) -> bool:
    """Whether a field is one of others, a part of one, or holds one."""
    return any(path[: len(other)] == other[: len(path)] for other in others)


def _personal_fields(
    connection: PgConnection, stream: Stream, rules: StreamRules
) -> tuple[Path, ...]:
    found = {verdict.path for verdict in load_verdicts(connection, stream.table_name)}
    named = {
        named_path(stream, name)
        for name, action in rules.pii.columns.items()
        if action is not Action.KEEP
    }
    return tuple(sorted(found | named))
