"""Runs one sync of a scripted connection in a process of its own, for tests that kill it."""

import sys
from pathlib import Path

from atlas_dagster.airbyte import reader
from atlas_dagster.airbyte.sync import Sync
from atlas_dagster.catalog import DestinationMode, SyncMode
from atlas_dagster.config import EmbeddedConnection, EmbeddedStream
from atlas_dagster.settings import load_settings


def main(project: str, url: str, mode: str) -> None:
    reader.FLUSH_SECONDS = 0.0  # as many checkpoints as can be
    reader.FLUSH_BYTES = 2_000
    stream = EmbeddedStream("numbers", None, SyncMode.INCREMENTAL, DestinationMode(mode))
    connection = EmbeddedConnection(
        id="scripted-id",
        name="Scripted",
        slug="scripted",
        package="airbyte-source-scripted",
        version="1.0.0",
        executable=str(Path(project) / "source" / "source-scripted"),
        config={},
        streams=(stream,),
        namespace="landing",
        prefix="",
        file="config/connections.yaml",
    )
    Sync(connection, load_settings({"ATLAS_PROJECT_DIR": project}), url).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
