"""Names of runs, jobs and datasets."""

from __future__ import annotations

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
    ],
)
def test_a_warehouse_is_named_by_its_host_and_port(url: str, namespace: str, database: str) -> None:
    assert warehouse_namespace(url, {}) == namespace
    assert warehouse_database(url) == database


@pytest.mark.parametrize(
    "url", ["postgresql:///atlas", "postgresql://postgres@/atlas?host=/p/.atlas/socket&port=5432"]
)
def test_behind_a_socket_the_host_is_this_machine(url: str) -> None:
    assert warehouse_namespace(url, {}) == f"postgres://{socket.gethostname().lower()}:5432"
    assert warehouse_database(url) == "atlas"


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
