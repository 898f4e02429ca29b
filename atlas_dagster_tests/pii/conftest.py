"""Analyzers, loaded once."""

from __future__ import annotations

import pytest

from atlas_dagster.pii.recognizers import Analyzer, load_analyzer
from atlas_dagster_tests.pii.support import every_recognizer


@pytest.fixture(scope="session")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> Analyzer:
    """Presidio's default recognizers."""
    return load_analyzer(tmp_path_factory.mktemp("pii") / "none.yaml")


@pytest.fixture(scope="session")
def every_analyzer(tmp_path_factory: pytest.TempPathFactory) -> Analyzer:
    """All recognizers of patterns that Presidio has, of all countries."""
    return load_analyzer(every_recognizer(tmp_path_factory.mktemp("pii") / "every.yaml"))
