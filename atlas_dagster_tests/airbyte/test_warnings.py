"""Classes of dagster-airbyte are in beta: ours do not say so, a user's do as before."""

from __future__ import annotations

import warnings
from pathlib import Path

import dagster as dg
import pytest
from dagster_airbyte import AirbyteWorkspace, DagsterAirbyteTranslator

from atlas_dagster.airbyte.translator import AtlasTranslator
from atlas_dagster.airbyte.workspace import AtlasAirbyteWorkspace, build_workspace
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project


def test_what_atlas_makes_of_them_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, "postgresql://nobody@127.0.0.1:1/none")
    project.with_connection("shop", USERS)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error", dg.BetaWarning)
        assert len(build_workspace(load_settings()).connections()) == 1
        AtlasAirbyteWorkspace().get_client()
        AtlasTranslator()


def test_what_a_user_makes_of_them_warns_as_before() -> None:
    with pytest.warns(dg.BetaWarning, match="`AirbyteWorkspace` is currently in beta"):
        AirbyteWorkspace(
            rest_api_base_url="https://airbyte.example/api/public/v1",
            configuration_api_base_url="https://airbyte.example/api/v1",
            workspace_id="00000000-0000-0000-0000-000000000001",
        )
    with pytest.warns(dg.BetaWarning, match="`DagsterAirbyteTranslator` is currently in beta"):
        DagsterAirbyteTranslator()
