"""One database for all tests of a file, emptied between them: to create one takes longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql

from atlas_dagster.warehouse import connect
from atlas_dagster_tests.conftest import new_database

LAYERS = ("landing", "explore", "chart", "navigate")


@pytest.fixture(scope="module")
def shared_database(postgres: str, template_database: str) -> Iterator[str]:
    with new_database(postgres, template=template_database) as url:
        yield url


@pytest.fixture
def warehouse_url(shared_database: str) -> str:
    with connect(shared_database) as connection, connection.transaction():
        for layer in LAYERS:
            connection.execute(
                sql.SQL("drop schema if exists {0} cascade; create schema {0}").format(
                    sql.Identifier(layer)
                )
            )
        connection.execute(
            "truncate pipeline.stream, pipeline.explore_progress, pipeline.layer_table cascade"
        )
    return shared_database
