"""The warehouse as a Dagster resource."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url


class WarehouseResource(dg.ConfigurableResource[PgConnection]):
    """Connections to the PostgreSQL that the environment names (``ATLAS_WAREHOUSE_URL``)."""

    @contextmanager
    def connect(self) -> Generator[PgConnection]:
        """Open a connection for a step, with our own tables at their newest version."""
        with connect(resolve_url(load_settings()), application="atlas layers") as connection:
            migrate(connection)
            yield connection
