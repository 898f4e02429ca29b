"""A build holds its table's lock from its first look at the data on: two take turns."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from atlas_dagster.warehouse import PgConnection, connect, lock_transaction
from atlas_dagster_tests.layers.support import (
    at,
    build,
    chart,
    create_landing,
    land,
    load,
    make_stream,
    navigate,
)
from atlas_dagster_tests.properties.oracle import Version

STREAM = make_stream({"id": {"type": "integer"}})
BUILDS: dict[str, Callable[..., object]] = {"explore": load, "chart": chart, "navigate": navigate}


@pytest.mark.parametrize("layer", BUILDS)
def test_a_build_waits_for_the_one_that_runs(
    warehouse: PgConnection, warehouse_url: str, layer: str
) -> None:
    create_landing(warehouse, STREAM)
    land(warehouse, STREAM, [Version("a", at(1), {"id": 1})])
    build(warehouse, STREAM)
    with connect(warehouse_url) as other:
        other.execute("set lock_timeout = '50ms'")
        with warehouse.transaction():
            lock_transaction(warehouse, f"{layer}/crm__users")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                BUILDS[layer](other, STREAM)
        BUILDS[layer](other, STREAM)
