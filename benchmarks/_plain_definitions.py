"""The peer of bench_definitions: as many assets, checks and jobs, the way Dagster's docs make them.

Nothing is read, and the functions do nothing: what is left is what Dagster takes for them. Prints
the CPU seconds beyond imports. Arguments: streams, streams a connection, checks a stream.
"""

import sys
import time
import warnings
from itertools import pairwise

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

LAYERS = ("explore", "pii", "chart", "navigate")
daily = dg.DailyPartitionsDefinition("2020-01-01", end_offset=1)


class Warehouse(dg.ConfigurableResource[None]):
    """A resource that every asset asks for."""


def sync(connection: str, streams: list[str]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"sync_{connection}",
        specs=[
            dg.AssetSpec(["airbyte", connection, stream], group_name=connection)
            for stream in streams
        ],
        can_subset=True,
    )
    def run(warehouse: Warehouse): ...

    return run


def layer(upstream: str, name: str, connection: str, stream: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[name, connection, stream],
        deps=[dg.AssetKey([upstream, connection, stream])],
        group_name=connection,
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def run(warehouse: Warehouse): ...

    return run


def checks(connection: str, stream: str, count: int) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"checks__{connection}__{stream}",
        specs=[
            dg.AssetCheckSpec(f"check_{number}", asset=["chart", connection, stream])
            for number in range(count)
        ],
        can_subset=True,
    )
    def run(warehouse: Warehouse): ...

    return run


def jobs(connection: str) -> list[UnresolvedAssetJobDefinition]:
    layers = dg.AssetSelection.key_prefixes(*([name, connection] for name in LAYERS))
    return [
        dg.define_asset_job(connection, dg.AssetSelection.groups(connection)),
        dg.define_asset_job(
            f"{connection}_sync", dg.AssetSelection.key_prefixes(["airbyte", connection])
        ),
        dg.define_asset_job(f"{connection}_layers", layers),
    ]


def define(streams: int, each: int, count: int) -> dg.Definitions:
    connections = {
        f"many_{number}": [f"stream_{n}" for n in range(min(each, streams - first))]
        for number, first in enumerate(range(0, streams, each))
    }
    return dg.Definitions(
        assets=[
            *(sync(connection, names) for connection, names in connections.items()),
            *(
                layer(upstream, name, connection, stream)
                for connection, names in connections.items()
                for stream in names
                for upstream, name in pairwise(("airbyte", *LAYERS))
            ),
        ],
        asset_checks=[
            checks(connection, stream, count)
            for connection, names in connections.items()
            for stream in names
        ],
        jobs=[job for connection in connections for job in jobs(connection)],
        resources={"warehouse": Warehouse()},
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    began = time.process_time()
    repository = define(*map(int, sys.argv[1:])).get_repository_def()
    repository.load_all_definitions()
    serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True))
    print(time.process_time() - began)
