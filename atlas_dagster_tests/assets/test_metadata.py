"""What materializations tell, in the shapes that Dagster's UI reads."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from atlas_dagster.assets.metadata import natural_key, table_name, touched_days
from atlas_dagster.catalog import Table
from atlas_dagster.warehouse import PgConnection


def test_a_table_is_named_with_its_database(warehouse: PgConnection) -> None:
    named = table_name(warehouse, Table("chart", "shop__users"))
    assert named == {"dagster/table_name": f"{warehouse.info.dbname}.chart.shop__users"}


def test_days_are_sorted_and_spelled_in_iso() -> None:
    metadata = touched_days({date(2024, 2, 2), date(2023, 12, 31)})
    assert metadata == {"atlas/touched_days": dg.JsonMetadataValue(["2023-12-31", "2024-02-02"])}


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ([["id"]], "id"),
        ([["shop"], ["customer", "id"]], "shop, customer.id"),
        ([], "the whole record: the stream has no primary key"),
    ],
)
def test_the_natural_key_is_spelled_out(key: list[list[str]], spelled: str) -> None:
    assert natural_key(key) == {"atlas/natural_key": spelled}
