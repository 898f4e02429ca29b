"""The SQL of the two group roles: who runs Atlas is a writer, who reads its results is a reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from atlas_dagster.roles.ownership import STATE, Ownership, hand_over

WRITER, READER = "atlas_writer", "atlas_reader"

READABLE_LAYERS = ("chart", "navigate")
"""Explore holds records as they came, personal data among them."""

READABLE_STATE = (
    "schema_version",
    "stream",
    "stream_column",
    "schema_change",
    "layer_table",
    "snapshot_refusal",
    "quality_score",
    "quality_result",
)
"""Tables of `pipeline` with names, numbers, times, and sentences that quote no value of a row.

The others hold what may be personal (keys in `dirty_key`, `erased_…`, `subject_…`, rows in
`quality_failed_row`, names of fields in `pii_…`, what connectors said in `sync`), or state
(`connector_state`, cursors in `sync_stream`, `explore_progress`), or what was sent (`notice`,
`qalita_…`, `catalog`, `workspace_snapshot`).
"""


@dataclass(frozen=True)
class Surroundings:
    """What the roles are made in: ``schemas`` by owner, ``roles`` of ours that are there already.

    ``is_superuser`` is of the one that makes them; ``has_public``: Dagster's tables lie in there.
    """

    database: str
    is_superuser: bool
    roles: frozenset[str]
    schemas: dict[str, str]
    has_public: bool


def create_roles(around: Surroundings) -> Iterator[sql.Composed]:
    """SQL: the roles, and what they may in the database as a whole."""
    writer, reader = sql.Identifier(WRITER), sql.Identifier(READER)
    for name in (WRITER, READER):
        if name not in around.roles:
            yield sql.SQL("create role {} nologin").format(sql.Identifier(name))
    if not around.is_superuser:  # nobody else may hand over what he is not a member of
        yield sql.SQL("grant {} to current_user").format(writer)
    database = sql.Identifier(around.database)
    yield sql.SQL("grant connect, create, temporary on database {} to {}").format(database, writer)
    yield sql.SQL("grant connect on database {} to {}").format(database, reader)


def hand_over_all(around: Surroundings, ownership: Ownership) -> Iterator[sql.Composed]:
    """SQL: schemas and what lies in them, to the writers."""
    writer = sql.Identifier(WRITER)
    for schema in ownership.schemas:
        name = sql.Identifier(schema)
        if schema not in around.schemas:
            yield sql.SQL("create schema {} authorization {}").format(name, writer)
        elif around.schemas[schema] != WRITER:
            yield sql.SQL("alter schema {} owner to {}").format(name, writer)
    if around.has_public:
        yield sql.SQL("grant usage, create on schema public to {}").format(writer)
    for owned in ownership.taken:
        yield hand_over(owned, WRITER)


def grant_landed(around: Surroundings, ownership: Ownership) -> Iterator[sql.Composed]:
    """SQL: let the writers read what an Airbyte server lands, now and later.

    Only a superuser may say so of what is another's.
    """
    writer = sql.Identifier(WRITER)
    if not around.is_superuser:
        return
    for landed in ownership.landed:
        schema, owner = sql.Identifier(landed.schema), sql.Identifier(landed.owner)
        tables = _listed(landed.schema, landed.tables)
        yield sql.SQL("grant usage on schema {} to {}").format(schema, writer)
        yield sql.SQL("grant select on {} to {}").format(tables, writer)
        if landed.schema in ownership.schemas:  # the schema was handed over
            yield sql.SQL("grant usage, create on schema {} to {}").format(schema, owner)
        yield sql.SQL(
            "alter default privileges for role {} in schema {} grant select on tables to {}"
        ).format(owner, schema, writer)


def grant_reading(around: Surroundings, ownership: Ownership) -> Iterator[sql.Composed]:
    """SQL: what the readers may read, now and later, and nothing else.

    Never what is another's: a view of his shows what he may read, explore for instance.
    """
    writer, reader = sql.Identifier(WRITER), sql.Identifier(READER)
    for schema in ownership.schemas:
        name = sql.Identifier(schema)
        names = ownership.tables(schema)
        tables = _listed(schema, names)
        if around.is_superuser:  # nobody else may take back what is another's
            yield sql.SQL("revoke all on all tables in schema {} from {}").format(name, reader)
        elif names:
            yield sql.SQL("revoke all on {} from {}").format(tables, reader)
        yield sql.SQL("revoke all on schema {} from {}").format(name, reader)
        if schema in (STATE, *READABLE_LAYERS):
            yield sql.SQL("grant usage on schema {} to {}").format(name, reader)
        if schema in READABLE_LAYERS:
            if names:
                yield sql.SQL("grant select on {} to {}").format(tables, reader)
            yield sql.SQL(
                "alter default privileges for role {} in schema {} grant select on tables to {}"
            ).format(writer, name, reader)
    for table in READABLE_STATE:
        yield sql.SQL("grant select on {} to {}").format(sql.Identifier(STATE, table), reader)


def _listed(schema: str, tables: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(schema, table) for table in tables)


def grant_membership(writers: Sequence[str], readers: Sequence[str]) -> Iterator[sql.Composed]:
    """SQL: let logins be writers or readers."""
    for group, logins in ((WRITER, writers), (READER, readers)):
        for login in logins:
            yield sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(login))
