from __future__ import annotations

from collections.abc import Iterator

import pytest

from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.lineage.backend import Backend
from atlas_dagster_tests.lineage.environment import clear


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    clear(monkeypatch)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with running(Backend()) as double:
        yield double
