"""What the assets that follow a sync have in common: layers and inspections."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, ParamSpec, TypeAlias, TypeVar

import dagster as dg

from atlas_dagster.assets.errors import operator_errors
from atlas_dagster.assets.partitions import daily, require_partition
from atlas_dagster.assets.warehouse_resource import WarehouseResource
from atlas_dagster.catalog import Stream
from atlas_dagster.catalog_store import load_stream
from atlas_dagster.warehouse import PgConnection

_P = ParamSpec("_P")
_R = TypeVar("_R")

LAYERS = ("explore", "chart", "navigate")
AFTER_SYNC = ("explore", "pii", "chart", "navigate")
"""The layers and the inspections of a stream, in the order in which they are built."""

_DESCRIPTIONS = {
    "explore": "Every record version of {} ever seen, append-only.",
    "pii": "The personal data in {}: every value of every field, scanned.",
    "chart": "The record versions of {}, typed and validated, one row each.",
    "navigate": "The history of {}, SCD Type 2, one row a validity interval.",
}

CHART_CHECKS, HISTORY_CHECKS = "checks", "history"
"""The steps of the quality checks, as `step_name` has them: of chart, and of navigate."""

Materialize: TypeAlias = Callable[
    [dg.AssetExecutionContext, PgConnection, Stream], dg.MaterializeResult[Any]
]
"""Builds a layer of a stream, or inspects one, given as of its last sync, in a run."""


def layer_key(layer: str, stream: Stream) -> dg.AssetKey:
    """The asset key of a stream in a layer: ``<layer>/<connection>/<stream>``."""
    return dg.AssetKey([layer, stream.connection, stream.slug])


def layer_description(layer: str, label: str) -> str:
    """What a layer of a stream holds; of pii, what is looked for."""
    return _DESCRIPTIONS[layer].format(label)


def step_name(work: str, connection: str, stream: str) -> str:
    """The step of what is done to a stream; of a layer it is what Dagster makes of its key."""
    return dg.AssetKey([work, connection, stream]).to_python_identifier()


def layers_pool(connection: str) -> str:
    """The pool that lets one run at a time build the layers of a connection."""
    return f"layers_{connection}"


def build_layer_asset(
    layer: str,
    stream: Stream,
    materialize: Materialize,
    *,
    upstream: Sequence[str],
    owners: Sequence[str],
    details: str,
    check_specs: Sequence[dg.AssetCheckSpec] = (),
) -> dg.AssetsDefinition:
    """An asset of a layer or an inspection: daily, any days in one run, retried if it may help.

    ``details`` are what the description says beside what the layer holds: sentences in Markdown.
    """

    @dg.asset(
        key=layer_key(layer, stream),
        deps=[layer_key(each, stream) for each in upstream],
        group_name=stream.connection,
        kinds={"postgres", layer},
        owners=list(owners),
        description=f"{layer_description(layer, stream.label)} {details}",
        tags={"atlas/layer": layer},
        metadata={
            "atlas/stream_name": stream.name,
            **({"atlas/namespace": stream.namespace} if stream.namespace else {}),
        },
        check_specs=check_specs,
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=layers_pool(stream.connection),
        retry_policy=dg.RetryPolicy(
            max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL
        ),
    )
    @_with_its_signature
    # Beside check specs Dagster knows the bare class only, not MaterializeResult[Any].
    def layer_asset(  # pyright: ignore[reportUnknownParameterType]
        context: dg.AssetExecutionContext, warehouse: WarehouseResource
    ) -> dg.MaterializeResult:  # pyright: ignore[reportMissingTypeArgument]
        with operator_errors(f"{layer} {stream.label}"), warehouse.connect() as connection:
            require_partition(context)
            current = load_stream(connection, stream.connection, stream.slug)
            return materialize(context, connection, current)

    return layer_asset


def _with_its_signature(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Keep the signature, which Dagster computes a dozen times an asset: a tenth of all loading."""
    function.__signature__ = signature(function)  # pyright: ignore[reportFunctionMemberAccess]
    return function
