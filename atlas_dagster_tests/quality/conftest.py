"""One database for all tests of a file, emptied between them."""

from __future__ import annotations

from atlas_dagster_tests.layers.conftest import shared_database, warehouse_url

__all__ = ["shared_database", "warehouse_url"]
