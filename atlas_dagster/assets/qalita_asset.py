"""What QALITA is told of a connection, as an asset: the check on it fails where QALITA refuses."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from atlas_dagster.assets.warehouse_resource import WarehouseResource
from atlas_dagster.catalog import Connection
from atlas_dagster.qalita.deliveries import Parked, parked

CHECK_NAME = "deliveries"
GROUP = "qalita__published"  # no connection's group: no slug has `__`


def qalita_key(connection: str) -> dg.AssetKey:
    """The asset key of what is published of a connection."""
    return dg.AssetKey(["qalita", connection])


def build_qalita_asset(connection: Connection, owners: Sequence[str]) -> dg.AssetSpec:
    """An asset that nothing materializes; the sensor `qalita` publishes what is upstream of it."""
    layer = "navigate" if connection.has_layers else "airbyte"
    return dg.AssetSpec(
        qalita_key(connection.slug),
        deps=[dg.AssetKey([layer, s.connection, s.slug]) for s in connection.streams],
        group_name=GROUP,
        kinds={"qalita"},
        owners=list(owners),
        description=f"What QALITA is told of {connection.name}, by the sensor qalita.",
    )


def build_qalita_check(connection: str) -> dg.AssetChecksDefinition:
    """The check that QALITA has refused nothing; the sensor evaluates it where that changes."""

    @dg.asset_check(
        asset=qalita_key(connection),
        name=CHECK_NAME,
        description="QALITA has taken all deliveries but those that still wait.",
    )
    def deliveries(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        with warehouse.connect() as database:
            found = [each for each in parked(database) if each.connection == connection]
        return dg.AssetCheckResult(
            check_name=CHECK_NAME,
            passed=not found,
            description=parked_text(found),
            metadata={"atlas/parked_deliveries": len(found)},
        )

    return deliveries


def evaluate_parked(connection: str, found: Sequence[Parked]) -> dg.AssetCheckEvaluation:
    """The check's result as the sensor reports it."""
    return dg.AssetCheckEvaluation(
        asset_key=qalita_key(connection),
        check_name=CHECK_NAME,
        passed=not found,
        description=parked_text(found),
        metadata={"atlas/parked_deliveries": len(found)},
    )


def parked_text(found: Sequence[Parked]) -> str:
    """Why the first was refused, and what to do about all."""
    if not found:
        return ""
    first = found[0]
    request = f" (request {first.request_id})" if first.request_id else ""
    return (
        f"{len(found):,} refused, the first is {first.key}: {first.reason}{request};"
        " when that is put right: atlas qalita replay"
    )
