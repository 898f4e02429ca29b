"""What is said about thresholds that are none, that have two meanings, or that fit everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas_dagster_tests.quality.mistakes import (
    CHECK,
    assert_refused,
    column,
    table,
    threshold,
)

THRESHOLD = "checks[0].row_count.threshold"
ONE_OF = (
    "must_be, must_not_be, must_be_greater_than, must_be_greater_than_or_equal, must_be_less_than,"
    " must_be_less_than_or_equal, must_be_between, must_be_not_between"
)

THRESHOLDS = {
    "a misspelt comparison": (
        threshold("must_be_bigger_than: 3"),
        f"4: {THRESHOLD}.must_be_bigger_than: unknown key; did you mean must_be_greater_than?",
    ),
    "nothing": (
        table("- row_count:", "    threshold:"),
        f"3: {THRESHOLD}: expected a mapping; found nothing",
    ),
    "two comparisons": (
        threshold("must_be: 3", "must_be_less_than: 5"),
        f"3: {THRESHOLD}: expected exactly one of {ONE_OF}; found must_be and must_be_less_than",
    ),
    "no comparison where there is no default": (
        table("- metric:", "    expression: a", "    threshold: {level: warn}"),
        f"4: checks[0].metric.threshold: expected exactly one of {ONE_OF}; found none",
    ),
    "no threshold where there is no default": (
        table("- metric: {expression: a}"),
        f"2: checks[0].metric.threshold: expected exactly one of {ONE_OF}; found none",
    ),
    "a number as a text": (
        threshold("must_be: '3'"),
        f"4: {THRESHOLD}.must_be: expected a number; found '3'",
    ),
    "a truth as a number": (
        threshold("must_be: true"),
        f"4: {THRESHOLD}.must_be: expected a number; found true",
    ),
    "an unknown level": (
        threshold("level: warning"),
        f"4: {THRESHOLD}.level: expected one of fail, warn; found 'warning'",
    ),
    "a metric where there is none": (
        threshold("metric: percent"),
        f"4: {THRESHOLD}.metric: unknown key; expected one of",
    ),
    "an unknown metric": (
        column("- missing: {threshold: {metric: ratio}}"),
        f"4: {CHECK}.missing.threshold.metric: expected one of count, percent; found 'ratio'",
    ),
    "more than all": (
        column("- missing: {threshold: {metric: percent, must_be_less_than: 150}}"),
        f"4: {CHECK}.missing.threshold.must_be_less_than: expected a percentage from 0 to 100;"
        " found 150",
    ),
    "a bad unit": (
        table("- freshness: {column: at, threshold: {unit: second, must_be_less_than: 5}}"),
        "2: checks[0].freshness.threshold.unit: expected one of hour, minute, day; found 'second'",
    ),
    "a unit where there is none": (
        threshold("unit: hour"),
        f"4: {THRESHOLD}.unit: unknown key; expected one of",
    ),
    "a range without an end": (
        threshold("must_be_between: {greater_than: 3}"),
        f"4: {THRESHOLD}.must_be_between: expected exactly one of less_than, less_than_or_equal",
    ),
    "a range with two ends on one side": (
        threshold("must_be_between: {greater_than: 3, greater_than_or_equal: 4, less_than: 5}"),
        f"4: {THRESHOLD}.must_be_between: expected exactly one of greater_than,"
        " greater_than_or_equal",
    ),
    "a range that is empty": (
        threshold("must_be_between: {greater_than: 5, less_than: 3}"),
        f"4: {THRESHOLD}.must_be_between: expected the number that it is greater than to be less",
    ),
    "a range that is everything": (
        threshold("must_be_not_between: {greater_than: 3, less_than: 5}"),
        f"4: {THRESHOLD}.must_be_not_between: expected the number that it is greater than to be"
        " more",
    ),
    "two of one level": (
        threshold("must_be_greater_than: 3", "additional: {must_be_greater_than: 5}"),
        f"5: {THRESHOLD}.additional: has the level fail, as the threshold itself has",
    ),
    "an additional one alone": (
        threshold("additional: {level: warn, must_be_greater_than: 5}"),
        f"3: {THRESHOLD}: expected one of {ONE_OF} beside additional",
    ),
    "an additional one of nothing": (
        threshold("must_be_greater_than: 3", "additional: {level: warn}"),
        f"5: {THRESHOLD}.additional: expected exactly one of {ONE_OF}; found none",
    ),
    "an additional one with a metric": (
        column(
            "- missing:",
            "    threshold:",
            "      must_be: 0",
            "      additional: {level: warn, must_be: 1, metric: percent}",
        ),
        f"7: {CHECK}.missing.threshold.additional.metric: unknown key; expected one of",
    ),
}


@pytest.mark.parametrize(("text", "message"), THRESHOLDS.values(), ids=THRESHOLDS)
def test_a_mistaken_threshold_is_named_by_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(text, message)
