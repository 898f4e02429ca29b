"""The database of the tests: one throw-away server, and a fresh migrated database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from atlas_dagster import embedded_postgres
from atlas_dagster.warehouse import PgConnection, connect, migrate
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.qalita_server import double as qalita

ROOM = 2 * 1024**3  # bytes


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server: ATLAS_TEST_POSTGRES_URL where that is set, else a throw-away one.

    Its directory is not one of pytest's: another pytest that starts would close those to the
    account that the server runs as when we are root.
    """
    given = os.environ.get("ATLAS_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    data_dir = server_directory()
    try:
        url = embedded_postgres.start(data_dir)
        _waive_durability(url)
        yield url
    finally:
        embedded_postgres.stop(data_dir)
        shutil.rmtree(data_dir)


def server_directory() -> Path:
    """A new directory for a server, in memory where there is room: files cost much less there."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    return Path(tempfile.mkdtemp(prefix="atlas-test-", dir=memory if roomy else None))


def _waive_durability(url: str) -> None:
    """Leave the disk alone: what a throw-away server holds need not outlive the machine."""
    settings = dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in {**settings, "max_wal_size": "256MB"}.items():
            connection.execute(
                sql.SQL("alter system set {} = {}").format(
                    sql.Identifier(setting), sql.Literal(value)
                )
            )
        connection.execute("select pg_reload_conf()")


@pytest.fixture(scope="session")
def template_database(postgres: str) -> Iterator[str]:
    """The name of a migrated database without a connection to it, to copy for each test."""
    name = f"atlas_template_{uuid.uuid4().hex[:12]}"
    _create(postgres, name, template="template0")
    try:
        with connect(database_url(postgres, name)) as connection:
            migrate(connection)
        yield name
    finally:
        _drop(postgres, name)


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """A fresh database with nothing in it, dropped after the test."""
    with new_database(postgres, template="template0") as url:
        yield url


@pytest.fixture
def warehouse_url(postgres: str, template_database: str) -> Iterator[str]:
    """A fresh migrated database, dropped after the test."""
    with new_database(postgres, template=template_database) as url:
        yield url


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[PgConnection]:
    """A connection to a fresh migrated database."""
    with connect(warehouse_url) as connection:
        yield connection


@pytest.fixture
def airbyte_server() -> Iterator[AirbyteDouble]:
    """An Airbyte server with an empty workspace."""
    with running(AirbyteDouble()) as double:
        yield double


@pytest.fixture
def qalita_server() -> Iterator[qalita.QalitaDouble]:
    """A QALITA platform with nothing in it."""
    with running(qalita.QalitaDouble()) as double:
        yield double


def database_url(server_url: str, database: str) -> str:
    """The URL of another database on the same server."""
    parts = urlsplit(server_url)
    return urlunsplit(parts._replace(path=f"/{database}"))


@contextmanager
def new_database(server_url: str, template: str) -> Iterator[str]:
    """The URL of a copy of a database, dropped after the block."""
    name = f"atlas_test_{uuid.uuid4().hex[:12]}"
    _create(server_url, name, template)
    try:
        yield database_url(server_url, name)
    finally:
        _drop(server_url, name)


def _create(server_url: str, name: str, template: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy file_copy encoding 'UTF8'").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def _drop(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )
