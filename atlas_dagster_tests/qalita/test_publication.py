"""What one job says of a stream: scopes, keys, and the tiles that the pack has for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from atlas_dagster.qalita.content import Content, Level
from atlas_dagster.qalita.objects import JobStatus
from atlas_dagster.qalita.publication import (
    FailedCheck,
    Publication,
    PublishedColumn,
    PublishedLayer,
    PublishedPii,
    PublishedQuality,
    build_content,
)

PACK = Path(__file__).parents[2] / "qalita_pack" / "pack_conf.json"
COLUMNS = (
    PublishedColumn("id", "bigint"),
    PublishedColumn("a.b", "numeric(10,2)"),
    PublishedColumn("at", "timestamp with time zone"),
)
COUNTS = {"records_emitted": 3, "bytes_emitted": 30, "records_committed": 3}
LANDING = PublishedLayer("landing", COUNTS, COLUMNS)
LAYERS = [
    PublishedLayer("explore", {"row_count": 3, "new_rows": 1}, COLUMNS, 0, (FailedCheck("pii"),)),
    PublishedLayer(
        "chart",
        {"row_count": 3, "invalid_rows": 1, "schema_changes": 2},
        COLUMNS,
        2,
        (FailedCheck("unique", "of a check event", Level.HIGH), FailedCheck("drift")),
    ),
    PublishedLayer("navigate", {"row_count": 3, "current_rows": 2}, COLUMNS),
]
QUALITY = PublishedQuality(
    87.5,
    0.8,
    is_graded=True,
    dimensions=dict.fromkeys(
        ("completeness", "uniqueness", "timeliness", "validity", "accuracy", "consistency"), 50.0
    ),
    failed=(FailedCheck("unique", "of the scan", Level.HIGH),),
)
ENTITIES = ("EMAIL_ADDRESS", "PHONE_NUMBER", "PERSON", "LOCATION")
OTHERS = ("CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS")


def sync(**more: Any) -> Content:
    known: dict[str, Any] = {"layers": [LANDING]}
    return build_content(
        Publication("shop__users", "landing", JobStatus.SUCCEEDED, 1.5, **{**known, **more})
    )


def layers(**more: Any) -> Content:
    known: dict[str, Any] = {
        "layers": LAYERS,
        "pii": [PublishedPii("a.b", entity, 2) for entity in (*ENTITIES, *OTHERS)],
        "quality": QUALITY,
        "freshness_hours": 0.25,
    }
    return build_content(
        Publication("shop__users", "navigate", JobStatus.SUCCEEDED, 9.0, **{**known, **more})
    )


def values(content: Content, where: str) -> dict[str, Any]:
    return {
        item["key"]: item["value"]
        for item in content.metrics
        if item["scope"].get("value") == where
    }


def test_no_key_and_scope_stands_twice() -> None:
    for content in (sync(owns_source=True, stream="users"), layers(owns_source=True)):
        pairs = [(item["key"], json.dumps(item["scope"])) for item in content.metrics]
        assert len(pairs) == len(set(pairs))


def test_a_column_belongs_to_the_table_before_its_only_dot() -> None:
    columns = [item["value"] for item in sync().schemas if item["key"] == "column"]
    assert columns == [f"landing_shop__users.{name}" for name in ("id", "a_b", "at")]


def test_types_are_told_without_parameters_and_as_kinds() -> None:
    content = sync()
    assert values(content, "landing_shop__users.a_b") == {
        "column_type": "numeric",
        "type": "Numeric",
    }
    landing = values(content, "landing_shop__users")
    assert (landing["types_numeric"], landing["types_temporal"]) == (2, 1)


def test_a_parameter_is_no_drift_and_a_type_or_the_order_is() -> None:
    def hashes(*columns: PublishedColumn) -> list[str]:
        found = values(sync(layers=[PublishedLayer("landing", {}, columns)]), "landing_shop__users")
        return [found[f"column_{name}_hash"] for name in ("list", "order", "types")]

    first, second = PublishedColumn("a", "numeric(1)"), PublishedColumn("b", "varchar")
    same = hashes(PublishedColumn("a", "numeric(2)"), second)
    assert hashes(first, second) == same
    turned = hashes(second, first)
    assert [a == b for a, b in zip(same, turned, strict=True)] == [True, False, True]
    retyped = hashes(PublishedColumn("a", "varchar"), second)
    assert [a == b for a, b in zip(same, retyped, strict=True)] == [True, True, False]


def test_scores_go_from_0_to_1_and_one_that_covers_too_little_is_none() -> None:
    chart = values(layers(), "chart_shop__users")
    assert (chart["score"], chart["completeness_score"]) == ("0.88", "0.5")
    thin = PublishedQuality(100.0, 0.1, is_graded=False)
    chart = values(layers(quality=thin), "chart_shop__users")
    assert "score" not in chart
    assert chart["quality_coverage"] == "0.1"


def test_checks_before_the_load_and_after_it_are_told_apart_by_scope() -> None:
    content = layers()
    failed = {
        layer: values(content, f"{layer}_shop__users").get("check_failed")
        for layer in ("explore", "chart", "navigate")
    }
    assert failed == {"explore": 1, "chart": 2, "navigate": None}


def test_each_failed_check_is_recommended_once_in_the_words_of_the_scan() -> None:
    told = [(item["content"], item["level"]) for item in layers().recommendations]
    assert told == [
        ("The check pii on explore did not pass.", "warning"),
        ("The check unique on chart did not pass: of the scan", "high"),
        ("The check drift on chart did not pass.", "warning"),
    ]


def test_the_source_is_told_of_only_where_it_is_the_streams_own() -> None:
    assert values(sync(), "${source}") == {}
    assert values(sync(owns_source=True), "${source}")["records_emitted"] == 3


def test_the_pack_has_tiles_for_keys_that_are_sent_and_no_others() -> None:
    charts = json.loads(PACK.read_text())["charts"]
    sent = [*sync(owns_source=True).metrics, *layers(owns_source=True).metrics]
    of_source = {item["key"] for item in sent if item["scope"]["perimeter"] == "dataset"}
    others = {item["key"] for item in sent if item["scope"]["perimeter"] != "dataset"}
    assert {tile["metric_key"] for tile in charts["overview"]} <= of_source
    assert {tile["metric_key"] for tile in charts["scoped"]} <= others
