"""Rules that name a field which a stream never had are refused, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atlas_dagster.catalog_store import save_catalog
from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.known_fields import refuse_unknown_fields
from atlas_dagster.layers.stream_columns import register_columns
from atlas_dagster.pii_rules import Action, PiiPolicy, PiiRules, Scope
from atlas_dagster.rules import StreamRules
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import make_stream

TEXT = {"type": "string"}
STREAM = make_stream({"id": TEXT, "email": TEXT, "address": {"type": "object"}, "a.b": TEXT})
ORDERS = {
    "stream": {"name": "orders", "jsonSchema": {"properties": {"id": TEXT, "ship_to": TEXT}}},
    "config": {"syncMode": "incremental", "destinationSyncMode": "append", "primaryKey": [["id"]]},
}


@pytest.fixture
def crm(warehouse: PgConnection) -> PgConnection:
    """A connection of users, whose columns are registered, and of orders, which never ran."""
    details = {
        "connectionId": STREAM.connection_id,
        "name": "crm",
        "syncCatalog": {"streams": [ORDERS]},
    }
    destination = {"destinationType": "postgres", "configuration": {"schema": "landing"}}
    save_catalog(warehouse, "crm", details, destination)
    register_columns(warehouse, STREAM, "run")
    return warehouse


def policy(scope: Scope, *names: str) -> StreamRules:
    rules = PiiRules(columns=dict.fromkeys(names, Action.MASK), scope=scope)
    return StreamRules(pii=PiiPolicy((rules,)))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            StreamRules(ignore=frozenset({"email", "emial"})),
            "crm/users: ignore 'emial' is not a column; its columns: id, email, address, a.b",
        ),
        (
            policy(Scope.STREAM, "email", "adress.street"),
            "crm/users: pii.columns 'adress.street' is not a column;"
            " its columns: id, email, address, a.b",
        ),
        (
            policy(Scope.CONNECTION, "emial"),
            "crm: pii.columns 'emial' is a column of none of its streams; did you mean email?",
        ),
    ],
)
def test_a_field_that_never_was_is_refused(
    crm: PgConnection, rules: StreamRules, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        refuse_unknown_fields(crm, STREAM, rules, [])
    assert str(error.value) == message


def test_a_field_within_a_column_and_a_name_with_dots_are_known(crm: PgConnection) -> None:
    named = policy(Scope.STREAM, "address.street", "address", "a.b")
    refuse_unknown_fields(crm, STREAM, named, [])


def test_what_was_found_is_known_though_it_is_no_column(crm: PgConnection) -> None:
    named = policy(Scope.STREAM, "extra.phones[]")
    refuse_unknown_fields(crm, STREAM, named, [("extra", "phones", "[]")])


def test_a_column_that_is_gone_from_the_source_is_known(crm: PgConnection) -> None:
    narrower = replace(STREAM, columns=STREAM.columns[:1])
    refuse_unknown_fields(
        crm, register_columns(crm, narrower, "later"), policy(Scope.STREAM, "email"), []
    )


def test_a_connection_may_name_a_field_of_any_of_its_streams(crm: PgConnection) -> None:
    refuse_unknown_fields(crm, STREAM, policy(Scope.CONNECTION, "ship_to", "email"), [])


def test_what_all_connections_share_may_name_any_field(crm: PgConnection) -> None:
    refuse_unknown_fields(crm, STREAM, policy(Scope.ALL, "phone"), [])
