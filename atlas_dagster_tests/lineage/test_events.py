"""Events as they are sent, against OpenLineage's schemas; and that these can be broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openlineage.client.serde import Serde

from atlas_dagster.lineage.events import build_event
from atlas_dagster.lineage.model import (
    Assertion,
    Dataset,
    DatasetName,
    Field,
    Nulls,
    Origin,
    Parent,
    Relation,
    State,
)
from atlas_dagster_tests.lineage.spec import Json, mistakes
from atlas_dagster_tests.lineage.support import event

EXPLORE = DatasetName("postgres://db:5432", "dwh.explore.shop__users")
CHART = DatasetName("postgres://db:5432", "dwh.chart.shop__users")
FULL = event(
    State.FAIL,
    parent=Parent("0c5ad1a4-3e9d-4a0c-9a53-5b6e4e2d2a11", "shop"),
    days=("2026-11-30", "2026-12-01"),
    error="it broke",
    inputs=(
        Dataset(
            EXPLORE,
            assertions=(Assertion("missing__id", "not_null", False, True, "id", {"n": 1}),),
            nulls={"id": Nulls(10, 1)},
            rows=10,
        ),
    ),
    outputs=(
        Dataset(
            CHART,
            description="typed",
            owners=("team:data",),
            fields=(Field("id", "bigint"), Field("email", "text", "at", {"pii": "EMAIL_ADDRESS"})),
            lineage={"email": (Origin(EXPLORE, "data.email", Relation.TRANSFORMATION, True),)},
            rows=10,
            written=4,
            size=100,
        ),
    ),
)


def sent(told: Any) -> Json:
    return json.loads(Serde.to_json(build_event(told)))


def test_an_event_with_all_facets_is_what_the_schemas_say() -> None:
    document = sent(FULL)
    assert mistakes(document) == []
    (read,), (written,) = document["inputs"], document["outputs"]
    assert set(read["inputFacets"]) == {"dataQualityAssertions", "dataQualityMetrics"}
    assert set(written["facets"]) == {
        *("columnLineage", "dataQualityMetrics", "dataSource", "documentation", "ownership"),
        *("schema", "tags"),
    }
    nominal = document["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2026-11-30T00:00:00+00:00"
    assert nominal["nominalEndTime"] == "2026-12-02T00:00:00+00:00"
    (origin,) = written["facets"]["columnLineage"]["fields"]["email"]["inputFields"]
    assert origin["transformations"] == [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
    ]


def test_an_event_with_nothing_known_is_what_the_schemas_say() -> None:
    document = sent(event())
    assert mistakes(document) == []
    assert document["eventTime"] == "2026-05-28T20:26:40.000+00:00"
    assert set(document["run"]["facets"]) == {"processing_engine"}


def test_the_platform_is_named_in_every_event_as_datahub_needs_it() -> None:
    for told in (event(), FULL):
        assert sent(told)["run"]["facets"]["processing_engine"]["name"] == "dagster"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("eventTime",), None, "eventTime"),
        (("eventType",), "DONE", "DONE"),
        (("run", "runId"), "7", "uuid"),
        (("job", "facets", "jobType", "processingType"), None, "processingType"),
        (("outputs", 0, "outputFacets", "outputStatistics", "rowCount"), "4", "rowCount"),
        (("outputs", 0, "facets", "schema", "fields", 0, "name"), None, "name"),
        (("outputs", 0, "facets", "ours"), {"_producer": "p", "_schemaURL": "x/Ours.json"}, "ours"),
        (("run", "facets", "parent", "run", "runId"), "7", "uuid"),
    ],
)
def test_the_schemas_find_what_is_wrong(path: tuple[Any, ...], value: Any, told: str) -> None:
    document = sent(FULL)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert told in " ".join(mistakes(document))
