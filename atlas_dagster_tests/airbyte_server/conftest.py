from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_dagster_tests.airbyte_server.double import AirbyteDouble, running_double


@pytest.fixture
def server() -> Iterator[AirbyteDouble]:
    """An Airbyte server with an empty workspace."""
    with running_double() as double:
        yield double
