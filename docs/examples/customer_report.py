"""Two assets of your own over navigate: one over a day, one over all of history in chunks."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from atlas_dagster.assets.frame_input import Chunks, layer_frames
from atlas_dagster.assets.partitions import daily

USERS = dg.AssetSpec(["navigate", "faker", "users"], partitions_def=daily)


@dg.asset(
    ins={
        "users": dg.AssetIn(
            key=USERS.key,
            input_manager_key="layer_frames",
            metadata={"atlas/columns": ["id", "nationality"]},
        )
    },
    partitions_def=daily,
)
def customers_by_nationality(users: pd.DataFrame) -> dg.MaterializeResult:
    """The customers as they were at the end of the partition's day, counted."""
    counts = users.groupby("nationality")["id"].count()
    return dg.MaterializeResult(
        metadata={
            "customers": len(users),
            "by_nationality": {name: int(count) for name, count in counts.items()},
        }
    )


@dg.asset(
    ins={
        "segments": dg.AssetIn(
            key=USERS.key,
            input_manager_key="layer_frames",
            metadata={"atlas/columns": ["_atlas_natural_key"]},
            dagster_type=Chunks,
        )
    },
)
def most_changed_customers(segments: Iterator[pd.DataFrame]) -> dg.MaterializeResult:
    """The ten customers with the most changes ever, whatever the size of the history."""
    changes = Counter()
    for chunk in segments:
        changes.update(chunk["_atlas_natural_key"])
    return dg.MaterializeResult(
        metadata={"changes": {key: count - 1 for key, count in changes.most_common(10)}}
    )


defs = dg.Definitions(
    assets=[USERS, customers_by_nationality, most_changed_customers],
    resources={"layer_frames": layer_frames},
)
