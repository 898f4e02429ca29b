"""What Airbyte answers about a connection, read into Connection, Stream and Column."""

from __future__ import annotations

from typing import Any

import pytest

from atlas_dagster.catalog import Connection, DestinationMode, Stream, SyncMode, Table
from atlas_dagster.catalog_answers import parse_connection, stream_slugs
from atlas_dagster.errors import ConfigError

Json = dict[str, Any]

DESTINATION: Json = {"destinationType": "postgres", "configuration": {"schema": "landing"}}


def entry(name: str, *, stream: Json | None = None, config: Json | None = None) -> Json:
    """One stream of a sync catalog, incremental and deduplicated by ``id``."""
    schema = {"properties": {"id": {"type": "integer"}, "name": {"type": ["null", "string"]}}}
    return {
        "stream": {"name": name, "jsonSchema": schema, **(stream or {})},
        "config": {
            "syncMode": "incremental",
            "destinationSyncMode": "append_dedup",
            "cursorField": ["id"],
            "primaryKey": [["id"]],
            "selected": True,
            **(config or {}),
        },
    }


def details(*entries: Json, **overrides: Any) -> Json:
    """An answer of `connections/get`."""
    return {
        "connectionId": "c-1",
        "name": "Shop",
        "namespaceDefinition": "destination",
        "syncCatalog": {"streams": list(entries)},
        **overrides,
    }


def parsed(*entries: Json, **overrides: Any) -> Connection:
    return parse_connection(details(*entries, **overrides), DESTINATION, "shop")


def parsed_stream(name: str = "users", **parts: Json) -> Stream:
    return parsed(entry(name, **parts)).streams[0]


def test_a_connection_carries_what_airbyte_says_of_it() -> None:
    connection = parsed(
        entry("users"),
        status="inactive",
        prefix="shop_",
        scheduleType="cron",
        scheduleData={"cron": {"cronExpression": "0 0 12 * * ? UTC", "cronTimeZone": "UTC"}},
    )
    assert (connection.id, connection.name, connection.slug) == ("c-1", "Shop", "shop")
    assert not connection.is_active
    assert (connection.schedule_type, connection.cron) == ("cron", "0 0 12 * * ? UTC")
    assert connection.prefix == "shop_"
    assert connection.destination_type == "postgres"


def test_what_airbyte_leaves_out_or_sends_as_null_has_its_default() -> None:
    nulls = ("status", "prefix", "namespaceDefinition", "namespaceFormat", "scheduleData")
    for connection in (parsed(), parsed(**dict.fromkeys(nulls))):
        assert connection.is_active
        assert connection.prefix == ""
        assert connection.namespace_definition == "destination"
        assert (connection.schedule_type, connection.cron) == ("manual", None)


def test_a_stream_carries_its_modes_and_keys() -> None:
    stream = parsed_stream(config={"primaryKey": [["id"], ["meta", "tenant"]]})
    assert stream.sync_mode is SyncMode.INCREMENTAL
    assert stream.destination_mode is DestinationMode.APPEND_DEDUP
    assert stream.cursor == ("id",)
    assert stream.primary_key == (("id",), ("meta", "tenant"))
    assert stream.label == "shop/users"
    assert stream.table_name == "shop__users"


def test_without_keys_of_the_connection_those_of_the_source_count() -> None:
    stream = parsed_stream(
        stream={"sourceDefinedPrimaryKey": [["uuid"]], "defaultCursorField": ["updated_at"]},
        config={"primaryKey": [], "cursorField": None},
    )
    assert stream.primary_key == (("uuid",),)
    assert stream.cursor == ("updated_at",)


def test_streams_that_are_not_selected_are_left_out() -> None:
    connection = parsed(entry("users"), entry("logs", config={"selected": False}))
    assert [stream.name for stream in connection.streams] == ["users"]


def test_columns_follow_the_schema_in_order() -> None:
    properties = {
        "Full Name": {"type": "string", "format": "email", "description": "as typed"},
        "_atlas_x": {"type": "number"},
        "id": {"type": "integer"},
    }
    stream = parsed_stream(stream={"jsonSchema": {"properties": properties, "required": ["id"]}})
    name, ours, key = stream.columns
    assert (name.name, name.landing, name.layer) == ("Full Name", "Full_Name", "Full Name")
    assert (name.format, name.description, name.required) == ("email", "as typed", False)
    assert (ours.landing, ours.layer) == ("_atlas_x", "__atlas_x")
    assert stream.column("id") is key
    assert key.required
    assert stream.column("missing") is None


@pytest.mark.parametrize(
    "schema",
    [None, {}, {"properties": None}, {"properties": {}, "required": True}, {"properties": []}],
)
def test_a_schema_without_properties_has_no_columns(schema: object) -> None:
    assert parsed_stream(stream={"jsonSchema": schema}).columns == ()


def test_field_selection_reduces_the_columns() -> None:
    selected = {"selectedFields": [{"fieldPath": ["id"]}]}
    on = parsed_stream(config={"fieldSelectionEnabled": True, **selected})
    off = parsed_stream(config={"fieldSelectionEnabled": False, **selected})
    assert [column.name for column in on.columns] == ["id"]
    assert [column.name for column in off.columns] == ["id", "name"]


@pytest.mark.parametrize(
    ("definition", "format_", "namespace", "schema"),
    [
        ("source", None, "sales", "sales"),
        ("source", None, None, "landing"),
        ("destination", None, "sales", "landing"),
        ("customformat", "raw_${SOURCE_NAMESPACE}", "sales", "raw_sales"),
        ("custom_format", "raw_${SOURCE_NAMESPACE}", None, "raw_"),
        ("customformat", "${SOURCE_NAMESPACE}", None, "landing"),
        ("customformat", "fixed", "sales", "fixed"),
        ("source", None, "Ventes été", "Ventes_ete"),
    ],
)
def test_the_namespace_decides_the_schema(
    definition: str, format_: str | None, namespace: str | None, schema: str
) -> None:
    connection = parsed(
        entry("users", stream={"namespace": namespace}),
        namespaceDefinition=definition,
        namespaceFormat=format_,
    )
    assert connection.streams[0].landing == Table(schema, "users")


def test_a_destination_without_a_schema_lands_in_public() -> None:
    connection = parse_connection(details(entry("users")), {"configuration": {}}, "shop")
    assert str(connection.streams[0].landing) == "public.users"


def test_the_prefix_stands_before_the_table_and_not_before_the_schema() -> None:
    connection = parsed(entry("my-table"), prefix="shop eu_")
    assert connection.streams[0].landing == Table("landing", "shop_eu_my_table")
    assert connection.streams[0].table_name == "shop__my_table"


def test_one_name_in_two_namespaces_makes_two_streams() -> None:
    connection = parsed(
        entry("users", stream={"namespace": "eu"}),
        entry("users", stream={"namespace": "us"}),
        entry("orders", stream={"namespace": "us"}),
        namespaceDefinition="source",
    )
    assert [stream.slug for stream in connection.streams] == ["eu_users", "us_users", "orders"]
    assert connection.stream("users", "us") is connection.streams[1]
    assert connection.stream("users") is None


def test_a_namespace_and_a_dotted_name_do_not_become_one_slug() -> None:
    slugs = stream_slugs([("b", "a"), ("b", None), ("b", "default"), ("a.b", None)])
    assert len(set(slugs.values())) == 4


def test_streams_that_would_share_a_table_are_refused() -> None:
    entries = [entry("users", stream={"namespace": namespace}) for namespace in ("eu", "us")]
    with pytest.raises(ConfigError) as caught:
        parsed(*entries)
    assert str(caught.value) == (
        "connection Shop: streams 'users' and 'users' would both land in landing.users;"
        " give one of them another namespace"
    )


def test_streams_whose_names_reduce_to_one_land_apart_as_airbyte_does() -> None:
    one, other = parsed(entry("a b"), entry("a-b")).streams
    assert one.landing == Table("landing", "a_b")
    assert other.landing.name.startswith("a_b_")
    assert one.table_name != other.table_name


HOSTILE_NAMES = ["import", "e2e/data-x y", "表", "x" * 200, "x" * 201, 'a";drop table b', "Users"]


def test_hostile_stream_names_get_slugs_and_tables_of_their_own() -> None:
    streams = parsed(*(entry(name) for name in HOSTILE_NAMES)).streams
    assert [stream.name for stream in streams] == HOSTILE_NAMES
    for names in (
        [stream.slug for stream in streams],
        [stream.table_name for stream in streams],
        [stream.landing.name for stream in streams],
    ):
        assert len(set(names)) == len(HOSTILE_NAMES)
    assert all(len(stream.table_name.encode()) <= 63 for stream in streams)
    assert all(len(stream.landing.name) <= 63 for stream in streams)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            {"connectionId": "c-1", "name": "Shop"},
            "connection Shop: object missing required field syncCatalog",
        ),
        (details(connectionId=7), "connection Shop: connectionId: expected str, got int"),
        (
            details(entry("users", config={"syncMode": "incrementl"})),
            "connection Shop: syncCatalog.streams[0].config.syncMode:"
            " invalid enum value 'incrementl'",
        ),
        (
            details(entry("users"), entry("")),
            "connection Shop: syncCatalog.streams[1].stream.name: expected str of length >= 1",
        ),
        (
            details(entry("users", config={"primaryKey": ["id"]})),
            "connection Shop: syncCatalog.streams[0].config.primaryKey[0]: expected array, got str",
        ),
        (
            details(entry("users", config={"selectedFields": [{"fieldPath": []}]})),
            "connection Shop: syncCatalog.streams[0].config.selectedFields[0].fieldPath:"
            " expected array of length >= 1",
        ),
    ],
)
def test_an_answer_of_a_wrong_shape_is_named_by_connection_and_key(
    answer: Json, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_connection(answer, DESTINATION, "shop")
    assert str(caught.value) == message


def test_a_destination_of_a_wrong_shape_is_named_too() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_connection(details(), {"configuration": []}, "shop")
    assert str(caught.value) == (
        "connection Shop, destination: configuration: expected object, got array"
    )


@pytest.mark.parametrize(
    ("mode", "dedups", "overwrites"),
    [
        (DestinationMode.APPEND, False, False),
        (DestinationMode.OVERWRITE, False, True),
        (DestinationMode.APPEND_DEDUP, True, False),
        (DestinationMode.OVERWRITE_DEDUP, True, True),
    ],
)
def test_what_a_destination_mode_does(
    mode: DestinationMode, dedups: bool, overwrites: bool
) -> None:
    assert (mode.dedups, mode.overwrites) == (dedups, overwrites)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ({"basicSchedule": {"timeUnit": "hours", "units": 6}}, 21_600),
        ({"basicSchedule": {"timeUnit": "minutes", "units": 30}}, 1_800),
        ({"basicSchedule": {"timeUnit": "moons", "units": 1}}, None),
        ({"basicSchedule": None}, None),
        (None, None),
    ],
)
def test_a_basic_schedule_is_an_interval(schedule: Json | None, seconds: int | None) -> None:
    connection = parsed(entry("users"), scheduleType="basic", scheduleData=schedule)
    assert connection.every_seconds == seconds
