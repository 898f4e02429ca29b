"""Datasets that real runs of the tests do not have: other destinations, raw tables, strangers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets.asset_work import Part, Place
from atlas_dagster.assets.lineage import chart_metadata, explore_metadata, without_origins
from atlas_dagster.assets.openlineage_datasets import (
    KnownStream,
    Streams,
    Surroundings,
    read_by,
    table_of,
    written_by,
)
from atlas_dagster.catalog import Stream
from atlas_dagster.layers.history_rules import history_rules
from atlas_dagster.lineage.model import DatasetName, Relation
from atlas_dagster.names import AIRBYTE_COLUMNS
from atlas_dagster_tests.layers.support import NO_RULES, make_stream
from atlas_dagster_tests.lineage.support import ENGINE

STREAM = make_stream({"id": {"type": "integer"}, "data.x": {"type": "integer"}})
SYNC = Place(STREAM.connection, STREAM.slug, Part.SYNC)
LAYERS = Place(STREAM.connection, STREAM.slug, Part.LAYERS)


def around(stream: Stream = STREAM, destination: str | None = None) -> Surroundings:
    known = KnownStream(stream, "airbyte://source-x", destination)
    streams: Streams = {(stream.connection, stream.slug): known}
    return Surroundings("atlas", "postgres://db:5432", "dwh", ENGINE, streams)


def test_what_lands_elsewhere_is_named_by_its_destination() -> None:
    name = table_of("airbyte", SYNC, around(destination="airbyte://destination-s3"))
    assert name == DatasetName("airbyte://destination-s3", f"{STREAM.connection}.{STREAM.name}")


def test_a_schema_at_the_source_stands_before_the_stream() -> None:
    read = read_by("airbyte", SYNC, around(replace(STREAM, namespace="public")))
    assert read is not None
    assert read.name.name == f"{STREAM.connection}.public.{STREAM.name}"


def test_of_a_stream_that_the_definitions_do_not_know_only_what_it_recorded_is_told() -> None:
    stranger = Place("crm", "leads", Part.SYNC)
    assert read_by("airbyte", stranger, around()) is None
    assert written_by("airbyte", stranger, around(), {}) is None
    told = {"dagster/table_name": dg.TextMetadataValue("dwh.landing.leads")}
    written = written_by("airbyte", stranger, around(), told)
    assert written is not None
    assert written.name == DatasetName("postgres://db:5432", "dwh.landing.leads")
    name = table_of("chart", Place("crm", "leads", Part.LAYERS), around())
    assert name == DatasetName("postgres://db:5432", "dwh.chart.crm__leads")


def test_a_raw_table_has_its_one_column_which_all_of_explore_comes_from() -> None:
    raw = replace(STREAM, raw_only=True)
    schema = dg.TableSchema([dg.TableColumn("id", "bigint")])
    landed = written_by(
        "airbyte", SYNC, around(raw), _normalized({"dagster/column_schema": schema})
    )
    table = DatasetName("postgres://db:5432", f"dwh.{raw.raw_landing}")
    assert landed is not None
    assert landed.name == table
    assert [field.name for field in landed.fields] == [*AIRBYTE_COLUMNS, "_airbyte_data"]
    assert landed.lineage == {}
    read = read_by("explore", LAYERS, around(raw))
    assert read is not None
    assert read.name == table
    explored = written_by("explore", LAYERS, around(raw), _normalized(explore_metadata(raw)))
    assert explored is not None
    (origin,) = explored.lineage["data.id"]
    assert origin.dataset == table
    assert (origin.field, origin.relation) == ("_airbyte_data", Relation.TRANSFORMATION)


def test_a_property_that_is_called_like_ours_is_still_typed_anew() -> None:
    metadata = chart_metadata(STREAM, history_rules(STREAM, NO_RULES), {})
    charted = written_by("chart", LAYERS, around(), _normalized(metadata))
    assert charted is not None
    (origin,) = charted.lineage["data.x"]
    assert (origin.field, origin.relation) == ("data.data.x", Relation.TRANSFORMATION)


@pytest.mark.parametrize(
    ("description", "left"),
    [
        (None, None),
        ("From `a` of `explore/b/c`.", None),
        ("who it is\n\nFrom `a` of `explore/b/c`.", "who it is"),
        ("From `here`\n\nto there\n\nFrom `a` of `b`.", "From `here`\n\nto there"),
        ("who it is", "who it is"),
    ],
)
def test_origins_are_told_once(description: str | None, left: str | None) -> None:
    assert without_origins(description) == left


def _normalized(metadata: dict[str, Any]) -> dict[str, dg.MetadataValue[Any]]:
    """Metadata as a materialization has it."""
    event = dg.AssetMaterialization("a", metadata=metadata)
    return dict(event.metadata)
