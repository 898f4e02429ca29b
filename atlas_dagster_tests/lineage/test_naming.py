"""Names of runs, jobs and datasets."""

from __future__ import annotations

import getpass
import socket

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.lineage.model import DatasetName
from atlas_dagster.lineage.naming import (
    embedded_source,
    foreign_destination,
    job_name,
    run_id,
    server_source,
    stream_dataset,
    warehouse_database,
    warehouse_namespace,
)


@pytest.mark.parametrize(
    ("url", "namespace", "database"),
    [
        ("postgresql://me:secret@DB.example.com:6432/dwh", "postgres://db.example.com:6432", "dwh"),
        ("postgresql://me@db/dwh?sslmode=require", "postgres://db:5432", "dwh"),
        ("postgresql://me@[::1]:5433/dwh", "postgres://[::1]:5433", "dwh"),
        ("postgresql://me@a:1,b:2/dwh", "postgres://a:1", "dwh"),
        ("postgresql://me@db", "postgres://db:5432", "me"),
        ("postgresql:///dwh?hostaddr=10.1.2.3", "postgres://10.1.2.3:5432", "dwh"),
        ("postgresql://db/dwh?hostaddr=10.1.2.3", "postgres://db:5432", "dwh"),
        ("postgresql://db:6432/dwh?service=prod", "postgres://db:6432", "dwh"),
    ],
)
def test_a_warehouse_is_named_by_its_host_and_port(url: str, namespace: str, database: str) -> None:
    assert warehouse_namespace(url, {}) == namespace
    assert warehouse_database(url, {}) == database


@pytest.mark.parametrize(
    "url", ["postgresql:///atlas", "postgresql://postgres@/atlas?host=/p/.atlas/socket&port=5432"]
)
def test_behind_a_socket_the_host_is_this_machine(url: str) -> None:
    assert warehouse_namespace(url, {}) == f"postgres://{socket.gethostname().lower()}:5432"
    assert warehouse_database(url, {}) == "atlas"


def test_what_the_url_does_not_say_is_libpqs_default() -> None:
    user = getpass.getuser()
    assert warehouse_database("postgresql://db", {}) == user
    assert warehouse_database("postgresql://db", {"PGUSER": "etl"}) == "etl"
    assert warehouse_database("postgresql://me@db", {"PGDATABASE": "dwh", "PGUSER": "etl"}) == "dwh"
    named = {"PGHOST": "db.example.com", "PGPORT": "6432"}
    assert warehouse_namespace("postgresql:///dwh", named) == "postgres://db.example.com:6432"
    assert warehouse_namespace("postgresql://other/dwh", named) == "postgres://other:6432"
    assert (
        warehouse_namespace("postgresql:///dwh", {"PGHOSTADDR": "::1"}) == "postgres://[::1]:5432"
    )


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("postgresql:///?service=prod", {}),
        ("postgresql://db/?service=prod", {}),
        ("postgresql:///", {"PGSERVICE": "prod"}),
    ],
)
def test_what_only_libpqs_service_file_knows_has_to_be_named(
    url: str, environ: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="by ATLAS_OPENLINEAGE_WAREHOUSE=postgres://host:port"):
        warehouse_namespace(url, environ)
    with pytest.raises(ConfigError, match="names a service: name its database too"):
        warehouse_database(url, environ)
    named = {**environ, "ATLAS_OPENLINEAGE_WAREHOUSE": "postgres://dwh:5432"}
    assert warehouse_namespace(url, named) == "postgres://dwh:5432"


def test_a_variable_names_the_warehouse_as_others_call_it() -> None:
    named = {"ATLAS_OPENLINEAGE_WAREHOUSE": "postgres://dwh.example.com:5432"}
    assert warehouse_namespace("postgresql:///atlas", named) == "postgres://dwh.example.com:5432"
    for wrong in ("dwh", "postgres://dwh", "postgres://me:secret@dwh:5432"):
        with pytest.raises(ConfigError, match="ATLAS_OPENLINEAGE_WAREHOUSE: expected") as caught:
            warehouse_namespace("postgresql:///atlas", {"ATLAS_OPENLINEAGE_WAREHOUSE": wrong})
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://me:sec@ret@db/dwh", "postgresql://db:54x2/dwh", "postgresql://db/d?x=ret"]
)
def test_a_url_that_cannot_be_read_is_said_to_be_so_without_what_is_in_it(url: str) -> None:
    with pytest.raises(ConfigError, match="ATLAS_WAREHOUSE_URL: its host and port") as caught:
        warehouse_namespace(url, {})
    assert "ret" not in str(caught.value)


def test_a_source_is_named_by_its_connector_its_connection_and_its_stream() -> None:
    assert embedded_source("airbyte-source-faker") == "airbyte://source-faker"
    assert server_source("https://airbyte.example.com/api/v1") == "airbyte://airbyte.example.com"
    assert foreign_destination("s3") == "airbyte://destination-s3"
    name = stream_dataset("airbyte://source-postgres", "shop", "public", "orders")
    assert name == DatasetName("airbyte://source-postgres", "shop.public.orders")
    assert stream_dataset("n", "shop", None, "users").name == "shop.users"


def test_a_run_has_one_id_and_other_work_others() -> None:
    assert run_id("r", "chart", "shop/users") == run_id("r", "chart", "shop/users")
    assert len({run_id("r", "a", "b"), run_id("r", "ab"), run_id("s", "a", "b")}) == 3


def test_a_job_begins_with_its_connection() -> None:
    assert job_name("shop", "users", "chart") == "shop.users.chart"
    assert job_name("shop", None, "sync") == "shop.sync"
