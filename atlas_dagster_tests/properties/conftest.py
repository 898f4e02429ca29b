"""One database for all worlds of a file, which need not outlive the machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.conftest import _database


@pytest.fixture(scope="module")
def database(postgres: str, template_database: str) -> Iterator[PgConnection]:
    for url in _database(postgres, template=template_database):
        with connect(url) as connection:
            connection.execute("set synchronous_commit = off")
            yield connection
