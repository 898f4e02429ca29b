"""What is done to the fields of a stream between explore and chart, because they are personal."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from psycopg.types.json import Jsonb

from atlas_dagster.catalog import Column, Stream, Table
from atlas_dagster.errors import ConfigError
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.pii_rules import Action, field_name
from atlas_dagster.warehouse import PgConnection

_BLOCK_BYTES = 64  # of SHA-256


@dataclass(frozen=True, order=True)
class FieldPolicy:
    """What is done to one field, a column or a path in one; never `keep` or `fail`."""

    path: tuple[str, ...]
    action: Action


@dataclass(frozen=True)
class StreamPolicy:
    """What is done to the fields of a stream, and with which key where one is hashed.

    ``key`` is never stored or shown: ``key_digest`` tells that it has changed.
    """

    fields: tuple[FieldPolicy, ...] = ()
    key_digest: str | None = None
    key: str | None = field(default=None, repr=False, compare=False)

    def action(self, path: Sequence[str]) -> Action:
        """What is done to a field: to itself, or to a field that it is a part of."""
        within = (f.action for f in self.fields if f.path == tuple(path[: len(f.path)]))
        return next(within, Action.KEEP)

    @property
    def hashes(self) -> bool:
        return any(f.action is Action.HASH for f in self.fields)


NO_POLICY = StreamPolicy()


def stream_policy(fields: Iterable[FieldPolicy], key: str | None) -> StreamPolicy:
    """The policy that does this to fields; what is done to a whole field is done to its parts.

    Raises ConfigError where a field is to be hashed and there is no key.
    """
    kept: dict[tuple[str, ...], FieldPolicy] = {}
    for one in sorted(fields):
        if not any(one.path[:length] in kept for length in range(1, len(one.path))):
            kept[one.path] = one
    policy = StreamPolicy(tuple(kept.values()))
    if not policy.hashes:
        return policy
    if key is None:
        names = ", ".join(field_name(f.path) for f in policy.fields if f.action is Action.HASH)
        raise ConfigError(f"ATLAS_PII_HASH_KEY: not set, and the policy hashes {names}")
    return keyed_policy(policy, key)


def keyed_policy(policy: StreamPolicy, key: str) -> StreamPolicy:
    """The policy with a key to hash with."""
    digest = hmac.new(key.encode(), b"atlas", hashlib.sha256).hexdigest()[:16]
    return replace(policy, key_digest=digest, key=key)


def policed_stream(stream: Stream, policy: StreamPolicy) -> Stream:
    """A stream with the columns that a policy leaves: dropped ones are gone, changed ones text."""
    columns = [
        _policed_column(column, policy.action((column.name,)))
        for column in stream.columns
        if policy.action((column.name,)) is not Action.DROP
    ]
    return replace(stream, columns=tuple(columns))


def _policed_column(column: Column, action: Action) -> Column:
    if action is Action.KEEP or column.type in (ColumnType.TEXT, ColumnType.JSONB):
        return column
    return replace(column, type=ColumnType.TEXT, was_instant=False)


def check_policy(
    stream: Stream, key: Iterable[tuple[str, ...]], time: str | None, policy: StreamPolicy
) -> None:
    """Refuse a policy under which two keys could become one, or time could not be told.

    Raises ConfigError naming the field.
    """
    for path in key:
        for length in range(1, len(path) + 1):
            action = policy.action(path[:length])
            if action not in (Action.KEEP, Action.HASH):
                raise ConfigError(
                    f"{stream.label}: {field_name(path)} is in the natural key, and the policy is"
                    f" to {action.value} it: two keys could become one; hash or keep it"
                )
    if time is not None and (action := policy.action((time,))) is not Action.KEEP:
        raise ConfigError(
            f"{stream.label}: {time} is the time_column, and the policy is to {action.value} it:"
            " keep it, or name another"
        )


def use_key(connection: PgConnection, policy: StreamPolicy) -> None:
    """Give the transaction what `pipeline.pii_hash` needs of the key (RFC 2104, section 2)."""
    if policy.key is None:
        return
    secret = policy.key.encode()
    if len(secret) > _BLOCK_BYTES:
        secret = hashlib.sha256(secret).digest()
    block = secret.ljust(_BLOCK_BYTES, b"\0")
    for name, pad in (("atlas.hmac_inner", 0x36), ("atlas.hmac_outer", 0x5C)):
        value = "\\x" + bytes(byte ^ pad for byte in block).hex()
        connection.execute("select set_config(%s, %s, true)", (name, value))


def charted_policy(connection: PgConnection, table: Table) -> StreamPolicy:
    """The policy under which a layer's table was built."""
    row = connection.execute(
        "select policy from pipeline.layer_table where layer = %s and table_name = %s",
        (table.schema, table.name),
    ).fetchone()
    return parse_policy(row[0]) if row else NO_POLICY


def parse_policy(stored: Any) -> StreamPolicy:
    """A policy as `pipeline.layer_table` has it."""
    fields = cast("list[tuple[list[str], str]]", stored.get("fields", []))
    return StreamPolicy(
        tuple(FieldPolicy(tuple(path), Action(action)) for path, action in fields),
        stored.get("key_digest"),
    )


def policy_json(policy: StreamPolicy) -> Jsonb:
    """A policy as `pipeline.layer_table` keeps it."""
    if not policy.fields:
        return Jsonb({})
    fields = [[list(f.path), f.action.value] for f in policy.fields]
    return Jsonb({"fields": fields, "key_digest": policy.key_digest})
