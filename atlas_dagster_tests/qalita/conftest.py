"""One database for all tests of a file, emptied between them: to create one takes longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_dagster.warehouse import connect
from atlas_dagster_tests.conftest import new_database


@pytest.fixture(scope="module")
def shared_database(postgres: str, template_database: str) -> Iterator[str]:
    with new_database(postgres, template=template_database) as url:
        yield url


@pytest.fixture
def warehouse_url(shared_database: str) -> str:
    with connect(shared_database) as connection:
        connection.execute(
            "truncate pipeline.qalita_delivery, pipeline.qalita_schema, pipeline.qalita_source"
            " restart identity"
        )
    return shared_database
