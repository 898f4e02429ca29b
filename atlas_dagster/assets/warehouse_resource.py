"""The warehouse as a Dagster resource."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_session_url, resolve_url


class WarehouseResource(dg.ConfigurableResource[PgConnection]):
    """Connections to the PostgreSQL that the environment names (``ATLAS_WAREHOUSE_URL``)."""

    @contextmanager
    def connect(self) -> Generator[PgConnection]:
        """Open a connection for a step, with our own tables at their newest version."""
        with connect(resolve_url(load_settings()), application="atlas layers") as connection:
            migrate(connection)
            yield connection

    @contextmanager
    def session(self) -> Generator[PgConnection]:
        """Open one whose session is its own, for what sets more than a transaction's settings."""
        url = resolve_session_url(load_settings())
        with connect(url, application="atlas checks") as connection:
            migrate(connection)
            yield connection
