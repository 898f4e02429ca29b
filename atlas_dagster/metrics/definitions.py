"""What the files under ``config/`` say: which embedded connections there are, and all rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from atlas_dagster.config import load_connections
from atlas_dagster.rules import AtlasRules, load_rules
from atlas_dagster.settings import Settings


@dataclass(frozen=True)
class Definitions:
    """The ids of the embedded connections, by slug, and the rules of these and of others."""

    embedded: Mapping[str, str]
    rules: AtlasRules


class DefinitionsReader:
    """Reads the files, anew only where one has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read_at: object = None
        self._definitions = Definitions({}, AtlasRules())

    def read(self) -> Definitions | None:
        """What they say now; None where their directory is not on this machine.

        Raises ConfigError naming the file, line and key that is wrong.
        """
        settings = self._settings
        if not settings.config_dir.is_dir():
            return None
        stamps = [_stamp(file) for file in (settings.connections_file, settings.atlas_file)]
        if stamps != self._read_at:
            embedded = {found.slug: found.id for found in load_connections(settings)}
            self._definitions = Definitions(embedded, load_rules(settings, None))
            self._read_at = stamps
        return self._definitions


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
