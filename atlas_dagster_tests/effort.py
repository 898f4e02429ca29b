"""How often chance is tried: enough to find a mistake, or much more often."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("ATLAS_TEST_EFFORT") == "thorough"


def how_many(usually: int, thoroughly: int) -> int:
    """The second number where ATLAS_TEST_EFFORT=thorough is set."""
    return thoroughly if THOROUGH else usually
