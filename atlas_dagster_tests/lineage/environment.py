"""An environment in which nothing is said of OpenLineage."""

from __future__ import annotations

import os

import pytest


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the environment of whoever runs the tests says of it."""
    for name in list(os.environ):
        if "OPENLINEAGE" in name:
            monkeypatch.delenv(name)
