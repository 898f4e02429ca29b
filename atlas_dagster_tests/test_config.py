"""What config/connections.yaml and config/atlas.yaml mean."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.catalog_answers import stream_slugs
from atlas_dagster.config import EmbeddedStream, load_connections
from atlas_dagster.names import unique_slugs
from atlas_dagster.rules import AtlasRules, ConnectionRules, StreamRules, load_rules
from atlas_dagster.settings import Settings, load_settings

PROJECT = Path(__file__).parent.parent

TWO_CONNECTIONS = """
connections:
  Shop:
    source: airbyte-source-shop==1.0.0
    streams:
      - {name: users, namespace: eu}
      - Users
      - e2e/data-x y
    prefix: ""
  faker:
    source: airbyte-source-faker==7.2.1
    streams: [users]
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return load_settings({})


def write(path: Path, text: str) -> None:
    path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")


def streams_of(settings: Settings, streams: str) -> tuple[EmbeddedStream, ...]:
    """The streams of a connection that has this flow sequence of them."""
    write(
        settings.connections_file,
        f"connections: {{faker: {{source: airbyte-source-faker==7.2.1, streams: {streams}}}}}",
    )
    return load_connections(settings)[0].streams


class TestCommittedFiles:
    def test_the_demo_syncs_three_streams_of_faker(self) -> None:
        (faker,) = load_connections(load_settings({"ATLAS_PROJECT_DIR": str(PROJECT)}))
        assert (faker.package, faker.version) == ("airbyte-source-faker", "7.2.1")
        assert [stream.name for stream in faker.streams] == ["users", "products", "purchases"]
        assert faker.config["count"] == "${ATLAS_FAKER_COUNT:-1000}"

    def test_the_demo_does_not_take_a_new_updated_at_for_a_change(self) -> None:
        rules = load_rules(load_settings({"ATLAS_PROJECT_DIR": str(PROJECT)}))
        assert rules.connection("faker").cron == "0 */6 * * *"
        for stream in ("users", "products", "purchases"):
            assert rules.stream("faker", stream).ignore == {"updated_at"}


class TestConnections:
    def test_a_missing_file_means_none(self, settings: Settings) -> None:
        assert load_connections(settings) == ()

    @pytest.mark.parametrize("text", ["", "connections:\n", "connections: {}\n"])
    def test_an_empty_file_means_none(self, settings: Settings, text: str) -> None:
        write(settings.connections_file, text)
        assert load_connections(settings) == ()

    def test_a_source_and_streams_are_enough(self, settings: Settings) -> None:
        write(settings.connections_file, TWO_CONNECTIONS)
        _, faker = load_connections(settings)
        assert (faker.name, faker.slug, faker.executable) == ("faker", "faker", "source-faker")
        assert (faker.namespace, faker.prefix, faker.config) == ("landing", "faker__", {})
        assert faker.streams == (EmbeddedStream("users"),)
        assert faker.file == "config/connections.yaml"
        assert faker.streams[0].where == "config/connections.yaml:11: connections.faker.streams[0]"

    def test_every_key_can_be_set(self, settings: Settings) -> None:
        write(
            settings.connections_file,
            """
            connections:
              My Shop:
                source: some-cdk == 1.0.0rc1
                executable: source-declarative-manifest
                namespace: raw
                prefix: shop_
                config:
                  token: ${SHOP_TOKEN}
                  start_date: 2024-01-01
                  nested: {on: [1, 2.5, null, true]}
                streams:
                  - name: orders
                    namespace: eu
                    sync_mode: full_refresh
                    destination_sync_mode: overwrite_dedup
                    cursor: [meta, updated_at]
                    primary_key: [id, [meta, tenant]]
                    fields: [id, meta, total]
            """,
        )
        (shop,) = load_connections(settings)
        assert (shop.name, shop.slug) == ("My Shop", "my_shop")
        assert (shop.package, shop.version) == ("some-cdk", "1.0.0rc1")
        assert shop.executable == "source-declarative-manifest"
        assert (shop.namespace, shop.prefix) == ("raw", "shop_")
        assert shop.config == {
            "token": "${SHOP_TOKEN}",
            "start_date": "2024-01-01",
            "nested": {"on": [1, 2.5, None, True]},
        }
        assert "SHOP_TOKEN" not in repr(shop)  # a secret may stand there in clear
        assert shop.streams == (
            EmbeddedStream(
                name="orders",
                namespace="eu",
                sync_mode=SyncMode.FULL_REFRESH,
                destination_mode=DestinationMode.OVERWRITE_DEDUP,
                cursor=("meta", "updated_at"),
                primary_key=(("id",), ("meta", "tenant")),
                fields=("id", "meta", "total"),
            ),
        )

    def test_it_knows_the_file_it_stands_in(self, settings: Settings, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        elsewhere = replace(settings, config_dir=tmp_path / "elsewhere")
        text = "connections: {faker: {source: a==1, streams: [x]}}"
        write(elsewhere.connections_file, text)
        (faker,) = load_connections(elsewhere)
        assert faker.file == "elsewhere/connections.yaml"

    def test_the_id_of_a_connection_follows_from_its_name(self, settings: Settings) -> None:
        write(settings.connections_file, "connections: {faker: {source: a==1, streams: [x]}}")
        (faker,) = load_connections(settings)
        assert faker.id == "6f9a115c-5e5f-59ff-a018-4676636f2a35"  # jobs and state hang on it

    @pytest.mark.parametrize(
        ("line", "sync_mode"),
        [
            ("destination_sync_mode: overwrite", SyncMode.FULL_REFRESH),
            ("destination_sync_mode: overwrite_dedup", SyncMode.FULL_REFRESH),
            ("destination_sync_mode: append_dedup", SyncMode.INCREMENTAL),
            ("destination_sync_mode: append", None),
            ("primary_key: id", None),
        ],
    )
    def test_a_destination_mode_that_goes_with_one_sync_mode_implies_it(
        self, settings: Settings, line: str, sync_mode: SyncMode | None
    ) -> None:
        (stream,) = streams_of(settings, f"[{{name: users, {line}}}]")
        assert stream.sync_mode is sync_mode

    def test_one_name_is_a_whole_key(self, settings: Settings) -> None:
        (stream,) = streams_of(settings, "[{name: users, cursor: at, primary_key: id}]")
        assert stream.cursor == ("at",)
        assert stream.primary_key == (("id",),)

    def test_streams_that_reduce_to_one_table_are_told_apart(self, settings: Settings) -> None:
        names = [s.name for s in streams_of(settings, "[a b, a-b]")]
        assert names == ["a b", "a-b"]


class TestRules:
    def test_a_missing_file_means_the_defaults(self, settings: Settings) -> None:
        rules = load_rules(settings)
        assert rules == AtlasRules()
        assert rules.connection("faker") == ConnectionRules(cron=None, timezone="UTC", owners=())
        assert rules.stream("faker", "users") == StreamRules()

    def test_every_key_can_be_set(self, settings: Settings) -> None:
        write(
            settings.atlas_file,
            """
            connections:
              My Shop:
                cron: "30 2 * * 1-5"
                timezone: Europe/Paris
                owners: [team:sales, ann@example.com]
                streams:
                  Order Lines:
                    natural_key: [order_id, [line, number]]
                    ignore: [updated_at, etag]
                    time_column: updated_at
                    most_vanishing: 0.1
                    retention_days: 30
            """,
        )
        rules = load_rules(settings)
        assert rules.connection("my_shop").cron == "30 2 * * 1-5"
        assert rules.connection("my_shop").timezone == "Europe/Paris"
        assert rules.connection("my_shop").owners == ("team:sales", "ann@example.com")
        assert rules.stream("my_shop", "order_lines") == StreamRules(
            natural_key=(("order_id",), ("line", "number")),
            ignore=frozenset({"updated_at", "etag"}),
            time_column="updated_at",
            most_vanishing=0.1,
            retention_days=30,
        )
        assert rules.retention_days() == {("my_shop", "order_lines"): 30}

    def test_an_embedded_stream_goes_by_its_exact_name(self, settings: Settings) -> None:
        write(settings.connections_file, TWO_CONNECTIONS)
        write(
            settings.atlas_file,
            """
            connections:
              Shop:
                streams:
                  users: {time_column: a}
                  Users: {time_column: b}
                  e2e/data-x y: {time_column: c}
            """,
        )
        streams = load_rules(settings).connection("shop").streams
        assert {stream: rules.time_column for stream, rules in streams.items()} == {
            "users": "a",
            unique_slugs(["users", "Users"])["Users"]: "b",
            "e2e_data_x_y": "c",
        }

    def test_a_stream_of_a_server_may_be_named_with_its_namespace(self, settings: Settings) -> None:
        write(settings.atlas_file, "connections: {shop: {streams: {eu.users: {ignore: [a]}}}}")
        slugs = stream_slugs([("users", "eu"), ("users", "us")])
        rules = load_rules(settings)
        assert rules.stream("shop", slugs[("users", "eu")]).ignore == {"a"}
        assert rules.stream("shop", slugs[("users", "us")]).ignore == frozenset()


def test_rules_for_the_connections_of_a_server_are_taken_as_they_stand(settings: Settings) -> None:
    write(settings.atlas_file, "connections:\n  Unknown Here:\n    cron: '@daily'\n")
    assert load_rules(settings).connection("unknown_here").cron == "@daily"
