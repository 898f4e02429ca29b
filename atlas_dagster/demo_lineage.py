"""What the demo tells of lineage: its own runs, as OpenLineage events in a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_dagster.demo_runs import demo_run_ends
from atlas_dagster.errors import AtlasError
from atlas_dagster.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

FILE = "openlineage.jsonl"


def write_demo_lineage(
    settings: Settings, instance: dg.DagsterInstance, demo_id: str
) -> tuple[Path, int] | None:
    """Write the events of the demo's runs to a file; returns it, and how many there are.

    None where a transport is set: the sensor `openlineage` tells it of them. Raises AtlasError
    where the file cannot be written.
    """
    from dagster_shared.utils.warnings import disable_dagster_warnings
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.file import FileConfig, FileTransport

    from atlas_dagster.assets.openlineage_reading import ended_events
    from atlas_dagster.defs.openlineage import surroundings
    from atlas_dagster.defs.project import read_project
    from atlas_dagster.lineage.sending import Sender
    from atlas_dagster.lineage.transport import is_configured

    if is_configured():
        return None
    file = settings.data_dir / FILE
    file.unlink(missing_ok=True)
    transport = FileTransport(FileConfig(str(file), append=True))
    sender = Sender(OpenLineageClient(transport=transport), math.inf)
    with disable_dagster_warnings():
        around = surroundings(read_project())
    for end in demo_run_ends(instance, demo_id):
        sender.send(ended_events(instance, end, around, {}))
    if sender.stopped:
        raise AtlasError(f"{file}: {sender.stopped}")
    if sender.refused:
        refused = sender.refused[0]
        raise AtlasError(f"{file}: {refused.event.label}: {refused.why}")
    return file, sender.taken
