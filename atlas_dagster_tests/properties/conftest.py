"""One database for all worlds of a file, which need not outlive the machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from atlas_dagster.layers import navigate
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.conftest import new_database


@pytest.fixture(scope="module")
def database(postgres: str, template_database: str) -> Iterator[PgConnection]:
    with new_database(postgres, template=template_database) as url, connect(url) as connection:
        connection.execute("set synchronous_commit = off")
        yield connection


@pytest.fixture
def look_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Say whether navigate's segments are looked up or joined: worlds are too small to tell."""
    return lambda few: monkeypatch.setattr(navigate, "FEW", math.inf if few else 0)
