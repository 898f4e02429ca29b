"""Load what a query gives into a dlt `scd2` table; run by the Python of dlt's own venv.

As dlt documents it for speed and for increments: arrow tables read by connectorx, loaded by COPY,
a row hash of their own, and a merge key, so that only the keys that are there are compared.
"""

from __future__ import annotations

import sys

import connectorx  # pyright: ignore[reportMissingImports]
import dlt  # pyright: ignore[reportMissingImports]
from dlt.sources.helpers.transform import (  # pyright: ignore[reportMissingImports]
    add_row_hash_to_table,
)

SCD2 = {
    "disposition": "merge",
    "strategy": "scd2",
    "row_version_column_name": "row_hash",
}


def main() -> None:
    url, state, query = sys.argv[1:]

    @dlt.resource(name="users", merge_key="id", write_disposition=SCD2)
    def users():
        yield connectorx.read_sql(url, query, return_type="arrow", protocol="binary")

    pipeline = dlt.pipeline(
        "users", pipelines_dir=state, destination=dlt.destinations.postgres(url), dataset_name="dlt"
    )
    hashed = add_row_hash_to_table("row_hash")
    rows = users().add_map(hashed)  # pyright: ignore[reportAttributeAccessIssue]
    pipeline.run(rows, loader_file_format="csv")
    step = next(step for step in pipeline.last_trace.steps if step.step == "load")
    print((step.finished_at - step.started_at).total_seconds())


if __name__ == "__main__":
    main()
