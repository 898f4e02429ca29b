"""Loading the connections of an Airbyte server, and what is kept of them.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from atlas_dagster.airbyte.refresh import fetch_workspace, refresh
from atlas_dagster.airbyte.snapshot import (
    Snapshot,
    load_snapshot,
    problems,
    save_snapshot,
    server_connections,
)
from atlas_dagster.catalog import Connection
from atlas_dagster.errors import AirbyteError, ConfigError
from atlas_dagster.http_retries import DEFAULT_RETRIES, Retries
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.api import environment, open_api
from atlas_dagster_tests.airbyte_server.double import (
    BUSY,
    LOGIN_PAGE,
    AirbyteDouble,
    Answer,
    Gather,
)
from atlas_dagster_tests.airbyte_server.ledger import stream

ONE_TRY = Retries(most=1)


def fetch(
    double: AirbyteDouble,
    previous: Snapshot | None = None,
    embedded: tuple[str, ...] = (),
    retries: Retries = DEFAULT_RETRIES,
) -> Snapshot:
    return fetch_workspace(open_api(double, retries), previous, embedded)


def by_slug(snapshot: Snapshot) -> dict[str, Connection]:
    return {found.connection.slug: found.connection for found in server_connections(snapshot)}


@pytest.fixture
def settings(airbyte_server: AirbyteDouble, tmp_path: Path, warehouse_url: str) -> Settings:
    """A project whose environment names the server; the warehouse is empty."""
    return load_settings(
        {
            **environment(airbyte_server),
            "ATLAS_PROJECT_DIR": str(tmp_path),
            "ATLAS_WAREHOUSE_URL": warehouse_url,
        }
    )


def test_31940_every_connection_of_the_workspace_is_loaded(airbyte_server: AirbyteDouble) -> None:
    for number in range(230):
        airbyte_server.ledger.add_connection(f"c {number}", stream("users"))
    assert set(by_slug(fetch(airbyte_server))) == {f"c_{number}" for number in range(230)}


def test_32443_pages_that_are_empty_or_repeat_items_lose_and_double_nothing(
    airbyte_server: AirbyteDouble,
) -> None:
    for number in range(230):
        airbyte_server.ledger.add_connection(f"c {number}", stream("users"))
    airbyte_server.empty_pages, airbyte_server.repeats_items = {0, 100, 200}, True
    assert len(fetch(airbyte_server).connections) == 230


def test_pages_that_are_empty_for_ever_end(airbyte_server: AirbyteDouble) -> None:
    endless = {"previous": "", "next": "http://x/connections?offset=0&limit=100", "data": []}
    airbyte_server.misbehave("GET .*/connections$", Answer(200, endless), times=99)
    assert fetch(airbyte_server).connections == []


def test_31961_a_wrong_workspace_id_is_one_clear_sentence(airbyte_server: AirbyteDouble) -> None:
    api = open_api(airbyte_server, workspace_id="none-such")
    with pytest.raises(ConfigError) as caught:
        fetch_workspace(api, None, ())
    host = airbyte_server.rest_url.split("/")[2]
    assert str(caught.value) == (
        f"AIRBYTE_WORKSPACE_ID: Airbyte at {host} shows no workspace none-such"
    )


def test_each_destination_is_read_once_and_details_in_parallel(
    airbyte_server: AirbyteDouble,
) -> None:
    shared = airbyte_server.ledger.add_destination()
    for number in range(40):
        airbyte_server.ledger.add_connection(f"c{number}", stream("a"), destination_id=shared)
    eight_at_once = Gather(threading.Barrier(8))
    airbyte_server.misbehave("POST .*/connections/get", eight_at_once, times=40)
    fetch(airbyte_server)
    assert airbyte_server.count("GET .*/destinations/") == 1
    assert airbyte_server.count("POST .*/connections/get") == 40
    assert airbyte_server.most_at_once <= 16


def test_12935_a_stream_name_in_two_namespaces_is_two_streams_in_two_tables(
    airbyte_server: AirbyteDouble,
) -> None:
    airbyte_server.ledger.add_connection(
        "shop",
        *(stream("users", namespace="eu"), stream("users", namespace="us"), stream("orders")),
        namespace_definition="source",
        prefix="p_",
    )
    (shop,) = by_slug(fetch(airbyte_server)).values()
    assert {(s.slug, str(s.landing)) for s in shop.streams} == {
        ("eu_users", "eu.p_users"),
        ("us_users", "us.p_users"),
        ("orders", "landing.p_orders"),
    }


def test_a_custom_namespace_is_applied_as_the_platform_applies_it(
    airbyte_server: AirbyteDouble,
) -> None:
    airbyte_server.ledger.add_connection(
        "shop",
        stream("Users", namespace="eu"),
        namespace_definition="customformat",
        namespace_format="raw_${SOURCE_NAMESPACE}",
    )
    (shop,) = by_slug(fetch(airbyte_server)).values()
    assert (shop.database, str(shop.streams[0].landing)) == ("atlas", "raw_eu.Users")


def test_two_connections_of_one_name_are_told_apart(airbyte_server: AirbyteDouble) -> None:
    ledger = airbyte_server.ledger
    first, second = (ledger.add_connection("Shop", stream("users")) for _ in range(2))
    found = by_slug(fetch(airbyte_server))
    assert {connection.id for connection in found.values()} == {first.id, second.id}
    assert all(slug.startswith("shop_") for slug in found)
    assert by_slug(fetch(airbyte_server)).keys() == found.keys()


def test_a_connection_keeps_its_slug_when_another_takes_its_name_and_when_it_is_renamed(
    airbyte_server: AirbyteDouble,
) -> None:
    first = airbyte_server.ledger.add_connection("shop", stream("users"))
    before = fetch(airbyte_server)
    second = airbyte_server.ledger.add_connection("shop", stream("users"))
    first.name = "Old shop"
    found = by_slug(fetch(airbyte_server, before))
    assert found["shop"].id == first.id
    (other,) = found.keys() - {"shop"}
    assert other.startswith("shop_")
    assert found[other].id == second.id


@pytest.mark.parametrize("name", ["faker", "faker_sync", "faker_layers", "sync_faker"])
def test_a_connection_leaves_the_names_of_embedded_ones_to_them(
    airbyte_server: AirbyteDouble, name: str
) -> None:
    airbyte_server.ledger.add_connection(name, stream("users"))
    (slug,) = by_slug(fetch(airbyte_server, embedded=("faker",)))
    assert slug.startswith(f"{name}_")


def test_connections_whose_jobs_would_share_a_name_are_told_apart(
    airbyte_server: AirbyteDouble,
) -> None:
    for name in ("shop", "shop_sync"):
        airbyte_server.ledger.add_connection(name, stream("users"))
    slugs = by_slug(fetch(airbyte_server))
    assert len(slugs) == 2
    assert not {"shop", "shop_sync"} & slugs.keys()


@pytest.mark.parametrize("name", ["import", "表", "a/b c", "x" * 300, "select * from x; --", "É"])
def test_18557_any_name_loads(airbyte_server: AirbyteDouble, name: str) -> None:
    airbyte_server.ledger.add_connection(name, stream(name))
    (connection,) = by_slug(fetch(airbyte_server)).values()
    assert (connection.name, connection.streams[0].name) == (name, name)


@pytest.mark.parametrize("status", ["inactive", "locked"])
def test_1106_mitodl_a_paused_connection_is_loaded_as_paused(
    airbyte_server: AirbyteDouble, status: str
) -> None:
    airbyte_server.ledger.add_connection("shop", stream("users"), status=status)
    (shop,) = by_slug(fetch(airbyte_server)).values()
    assert (shop.status, shop.is_active) == (status, False)


def test_a_destination_that_is_not_postgres_loads_without_layers(
    airbyte_server: AirbyteDouble,
) -> None:
    odd = airbyte_server.ledger.add_destination("s3", schema={"no": "text"}, database=7)
    airbyte_server.ledger.add_connection("shop", stream("users"), destination_id=odd)
    (shop,) = by_slug(fetch(airbyte_server)).values()
    assert (shop.destination_type, shop.has_layers) == ("s3", False)


def test_a_postgres_by_its_definition_is_postgres(airbyte_server: AirbyteDouble) -> None:
    unnamed = airbyte_server.ledger.add_destination("")
    airbyte_server.ledger.add_connection("shop", stream("users"), destination_id=unnamed)
    (shop,) = by_slug(fetch(airbyte_server)).values()
    assert (shop.destination_type, shop.has_layers) == ("postgres", True)


def test_a_connection_that_cannot_be_read_is_as_it_was_and_the_others_are_new(
    airbyte_server: AirbyteDouble,
) -> None:
    shop, crm = (airbyte_server.ledger.add_connection(n, stream("a")) for n in ("shop", "crm"))
    before = fetch(airbyte_server)
    for connection in (shop, crm):
        connection.entries.append(stream("b"))
    shop.entries.append(stream("c", primaryKey="id"))
    now = fetch(airbyte_server, before)
    found = by_slug(now)
    assert {slug: len(c.streams) for slug, c in found.items()} == {"shop": 1, "crm": 2}
    (problem,) = problems(now)
    assert problem.startswith("shop: connection shop: syncCatalog.streams[2].config.primaryKey: ")


def test_a_new_connection_that_makes_no_sense_is_told_and_left_out(
    airbyte_server: AirbyteDouble,
) -> None:
    airbyte_server.ledger.add_connection("shop", stream("a"))
    airbyte_server.misbehave("POST .*/connections/get", LOGIN_PAGE)
    snapshot = fetch(airbyte_server)
    assert by_slug(snapshot) == {}
    assert "HTML" in problems(snapshot)[0]


def test_a_server_that_goes_down_in_the_middle_is_not_asked_for_the_rest(
    airbyte_server: AirbyteDouble,
) -> None:
    for number in range(200):
        airbyte_server.ledger.add_connection(f"c{number}", stream("a"))
    before = fetch(airbyte_server)
    asked = airbyte_server.count("connections/get")
    airbyte_server.misbehave("connections/get", BUSY, times=999)
    now = fetch(airbyte_server, before, retries=ONE_TRY)
    assert airbyte_server.count("connections/get") - asked < 16 + 3
    assert len(problems(now)) == 200
    assert by_slug(now).keys() == by_slug(before).keys()


def test_a_connection_that_is_gone_is_gone(airbyte_server: AirbyteDouble) -> None:
    shop = airbyte_server.ledger.add_connection("shop", stream("a"))
    before = fetch(airbyte_server)
    del airbyte_server.ledger.connections[shop.id]
    assert by_slug(fetch(airbyte_server, before)) == {}


def test_neither_passwords_nor_keys_of_mappers_are_kept(airbyte_server: AirbyteDouble) -> None:
    mapper = {"type": "encryption", "mapperConfiguration": {"key": "hunter2"}}
    destination = airbyte_server.ledger.add_destination(password="hunter2", ssl={"key": "hunter2"})
    airbyte_server.ledger.add_connection(
        "shop", stream("a", mappers=[mapper]), destination_id=destination
    )
    (stored,) = fetch(airbyte_server).connections
    assert "hunter2" not in str(stored)
    assert stored.destination["configuration"].keys() == {"host", "port", "database", "schema"}
    (entry,) = stored.details["syncCatalog"]["streams"]
    assert entry["config"]["mappers"] == [{"type": "encryption"}]


def test_a_refresh_keeps_the_catalog_on_this_machine_and_in_the_warehouse(
    airbyte_server: AirbyteDouble, settings: Settings, warehouse: PgConnection
) -> None:
    airbyte_server.ledger.add_connection("shop", stream("users", {"b": {}, "a": {}}))
    assert load_snapshot(settings) is None
    snapshot = refresh(settings, ONE_TRY)
    assert load_snapshot(settings) == snapshot
    (connection,) = server_connections(snapshot)
    assert [column.name for column in connection.connection.streams[0].columns] == ["b", "a"]
    assert connection.stale is None
    assert settings.snapshot_file.stat().st_mode & 0o777 == 0o600
    row = warehouse.execute("select workspace_id from pipeline.workspace_snapshot").fetchone()
    assert row == (airbyte_server.ledger.workspace_id,)


@pytest.mark.parametrize("trouble", [BUSY, LOGIN_PAGE, Answer(401), Answer(200, b"{}" * 9)])
def test_32800_the_last_good_catalog_serves_while_airbyte_does_not_and_is_marked(
    airbyte_server: AirbyteDouble, settings: Settings, trouble: Answer
) -> None:
    airbyte_server.ledger.add_connection("shop", stream("users"))
    good = refresh(settings, ONE_TRY)
    airbyte_server.misbehave("GET .*/(workspaces|connections)", trouble, times=99)
    stale = refresh(settings, ONE_TRY)
    assert stale.failure
    assert (stale.connections, stale.fetched_at) == (good.connections, good.fetched_at)
    assert load_snapshot(settings) == stale
    (connection,) = server_connections(stale)
    assert connection.stale == stale.failure
    airbyte_server.behave()
    assert refresh(settings, ONE_TRY).failure is None


def test_another_machine_takes_the_catalog_from_the_warehouse_while_airbyte_is_down(
    airbyte_server: AirbyteDouble, settings: Settings
) -> None:
    airbyte_server.ledger.add_connection("shop", stream("users"))
    good = refresh(settings, ONE_TRY)
    settings.snapshot_file.unlink()
    airbyte_server.misbehave(".*", BUSY, times=99)
    assert refresh(settings, ONE_TRY).connections == good.connections
    assert load_snapshot(settings) is not None


def test_a_first_refresh_that_fails_says_why_and_keeps_nothing(
    airbyte_server: AirbyteDouble, settings: Settings
) -> None:
    airbyte_server.misbehave(".*", BUSY, times=99)
    with pytest.raises(AirbyteError, match=r"answered 503 .*: try again"):
        refresh(settings, ONE_TRY)
    assert not settings.snapshot_file.exists()


def test_the_catalog_of_another_workspace_is_none(
    airbyte_server: AirbyteDouble, settings: Settings
) -> None:
    snapshot = refresh(settings, ONE_TRY)
    save_snapshot(settings, Snapshot("another", snapshot.fetched_at, []))
    assert load_snapshot(settings) is None


def test_a_damaged_file_says_what_to_do_and_a_refresh_replaces_it(
    airbyte_server: AirbyteDouble, settings: Settings
) -> None:
    refresh(settings, ONE_TRY)
    settings.snapshot_file.write_bytes(b'{"workspace_id": 1')
    with pytest.raises(ConfigError, match=r"catalog\.json: .*; run atlas refresh$"):
        load_snapshot(settings)
    refresh(settings, ONE_TRY)
    assert load_snapshot(settings) is not None


def test_without_a_server_there_is_nothing_to_refresh(tmp_path: Path) -> None:
    settings = load_settings({"ATLAS_PROJECT_DIR": str(tmp_path)})
    assert load_snapshot(settings) is None
    with pytest.raises(ConfigError, match="no Airbyte server is set"):
        refresh(settings, ONE_TRY)
