"""The checks that a stream gets, from what its catalog says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from atlas_dagster.catalog import DestinationMode, SyncMode, Table
from atlas_dagster.json_limits import ValueLimits
from atlas_dagster.quality.derive import derive_checks
from atlas_dagster.quality.formats import FORMATS
from atlas_dagster.quality.spec import (
    Dimension,
    DuplicateParameters,
    ExpectedColumn,
    FreshnessParameters,
    HistoryParameters,
    HistoryRule,
    Limit,
    MissingParameters,
    Operator,
    RecordCountParameters,
    ReferenceParameters,
    RowCountParameters,
    Rule,
    SchemaParameters,
    Threshold,
    Unit,
)
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster.rules import StreamRules
from atlas_dagster_tests.quality.catalogs import (
    DAY,
    INSTANT,
    INTEGER,
    MAYBE,
    STRING,
    connection,
    derived,
    rules,
    stream,
)

ANY = Limit(Operator.GT, 0)
FAILS, WARNS, MEASURED = Threshold(fail=ANY), Threshold(warn=ANY), Threshold()
HOUR = 3600
ORDERS = {"id": INTEGER, "user_id": INTEGER}


def seconds(number: float) -> Limit:
    return Limit(Operator.GT, number, Unit.SECONDS)


def test_a_stream_gets_its_checks_in_a_fixed_order() -> None:
    users = stream(
        {"id": INTEGER, "email": {**MAYBE, "format": "email"}, "name": MAYBE, "created_at": INSTANT}
    )
    assert list(derived(users)) == [
        *("row_count", "schema", "duplicate_key", "cast_loss", "record_count", "fresh_sync"),
        "missing__id",
        *("missing__email", "invalid__email"),
        *("missing__name", "text_damage__name"),
        "missing__created_at",
        *("history_one_current", "history_no_overlap", "history_from_before_to"),
    ]


def test_every_check_says_what_it_is_and_where_it_comes_from() -> None:
    users = stream({"id": INTEGER, "Côte d'Ivoire": {**STRING, "enum": ["a", "b"]}})
    for check in derived(users).values():
        assert re.fullmatch(r"[A-Za-z0-9_]+", check.name)
        assert check.description.endswith(".")
        assert check.origin


def test_names_do_not_change_when_columns_come_and_go() -> None:
    before = derived(stream({"id": INTEGER, "User ID": MAYBE}))
    after = derived(stream({"id": INTEGER, "User_ID": MAYBE, "User ID": MAYBE, "a": MAYBE}))
    assert before.keys() <= after.keys()


def test_the_checks_of_a_wide_stream_stay_in_bounds() -> None:
    kinds: list[Any] = [INTEGER, MAYBE, INSTANT, {**STRING, "format": "uuid"}, {"type": "object"}]
    wide = stream({"id": INTEGER, **{f"c{i}": kinds[i % 5] for i in range(200)}})
    assert len(derived(wide)) <= 3 * len(wide.columns) + 10


class TestRows:
    @pytest.mark.parametrize(
        ("mode", "of_all_days"), [(SyncMode.INCREMENTAL, True), (SyncMode.FULL_REFRESH, False)]
    )
    def test_no_rows_fail_but_a_day_in_which_nothing_changed_does_not(
        self, mode: SyncMode, of_all_days: bool
    ) -> None:
        check = derived(stream({"id": INTEGER}, sync_mode=mode))["row_count"]
        assert check.threshold == Threshold(fail=Limit(Operator.LT, 1))
        assert check.parameters == RowCountParameters(of_all_days)

    def test_the_schema_is_the_columns_of_chart_and_their_types(self) -> None:
        check = derived(stream({"id": INTEGER, "ctid": DAY}))["schema"]
        assert check.parameters == SchemaParameters(
            (ExpectedColumn("id", "bigint"), ExpectedColumn("_ctid", "date"))
        )

    def test_a_stream_without_columns_has_no_schema_to_check(self) -> None:
        assert "schema" not in derived(stream({}, key=()))

    @pytest.mark.parametrize(
        ("mode", "is_exact"),
        [(DestinationMode.APPEND, True), (DestinationMode.APPEND_DEDUP, False)],
    )
    def test_rows_are_counted_against_airbyte_exactly_unless_the_destination_dedups(
        self, mode: DestinationMode, is_exact: bool
    ) -> None:
        users = stream({"id": INTEGER}, destination_mode=mode, namespace="shop")
        check = derived(users)["record_count"]
        assert check.parameters == RecordCountParameters(
            users.connection_id, "shop", "users", Table("explore", "crm__shop_users"), is_exact
        )

    def test_casts_are_checked_where_a_column_has_a_type_that_a_value_may_not_fit(self) -> None:
        assert "cast_loss" not in derived(stream({"a": MAYBE, "b": {"type": "object"}}, key=()))
        check = derived(stream({"a": INTEGER}, key=()))["cast_loss"]
        assert check.threshold == Threshold(ANY, Limit(Operator.GT, 1, Unit.PERCENT))


class TestKeys:
    def test_a_full_refresh_has_a_key_once(self) -> None:
        check = derived(stream({"id": INTEGER}, sync_mode=SyncMode.FULL_REFRESH))["duplicate_key"]
        assert check.columns == ("_atlas_natural_key",)
        assert check.parameters == DuplicateParameters(("_atlas_sync_id",), repeats_are_one=True)
        assert check.threshold == FAILS

    def test_of_what_changed_two_versions_of_one_instant_warn(self) -> None:
        check = derived(stream({"id": INTEGER}))["duplicate_key"]
        assert check.parameters == DuplicateParameters(("_atlas_instant",), repeats_are_one=True)
        assert check.threshold == WARNS

    def test_a_cdc_source_orders_versions_of_one_instant(self) -> None:
        check = derived(stream({"id": INTEGER, "_ab_cdc_lsn": INTEGER}))["duplicate_key"]
        assert isinstance(check.parameters, DuplicateParameters)
        assert check.parameters.within == ("_atlas_instant", "_atlas_sequence")

    def test_a_stream_without_a_key_has_no_duplicates(self) -> None:
        assert "duplicate_key" not in derived(stream({"id": INTEGER}, key=()))

    def test_every_part_of_the_key_must_be_there_and_a_text_must_not_be_empty(self) -> None:
        users = stream({"tenant": MAYBE, "id": {"type": "integer"}}, key=(("tenant",), ("id",)))
        checks = derived(users)
        assert checks["missing__tenant"].threshold == FAILS
        assert checks["missing__tenant"].parameters == MissingParameters(empty_is_missing=True)
        assert checks["missing__id"].parameters == MissingParameters(empty_is_missing=False)
        assert checks["missing__id"].origin == "the source's primary key"

    def test_a_key_inside_an_object_is_checked_as_chart_has_it(self) -> None:
        check = derived(stream({"data": {"type": "object"}}, key=(("data", "id"),)))["missing_key"]
        assert (check.columns, check.threshold) == (("_atlas_natural_key",), FAILS)

    def test_the_natural_key_of_the_rules_takes_the_place_of_the_sources(self) -> None:
        users = stream({"id": INTEGER, "email": MAYBE})
        around = load_surroundings(
            connection(users), rules(users=StreamRules(natural_key=(("email",),)))
        )
        checks = {check.name: check for check in derive_checks(users, around["users"])}
        assert checks["missing__email"].origin == "config/atlas.yaml: natural_key"
        assert checks["missing__email"].threshold == FAILS
        assert checks["missing__id"].threshold == WARNS


class TestMissing:
    @pytest.mark.parametrize(
        ("schema", "required", "threshold"),
        [
            (STRING, True, FAILS),
            (STRING, False, WARNS),
            (MAYBE, False, MEASURED),
            (MAYBE, True, MEASURED),
            ({}, False, MEASURED),
        ],
        ids=["required", "not null", "nullable", "required, and nullable", "untyped"],
    )
    def test_what_the_schema_lets_be_null_is_only_measured(
        self, schema: dict[str, Any], required: bool, threshold: Threshold
    ) -> None:
        users = stream({"a": schema}, key=(), required=["a"] if required else [])
        check = derived(users)["missing__a"]
        assert check.threshold == threshold
        assert check.parameters == MissingParameters(empty_is_missing=False)

    def test_what_a_cdc_source_tells_of_itself_is_not_checked(self) -> None:
        cdc = {"_ab_cdc_deleted_at": MAYBE, "_ab_cdc_lsn": INTEGER}
        assert not [name for name in derived(stream({"id": INTEGER, **cdc})) if "cdc" in name]


class TestInvalid:
    @pytest.mark.parametrize(
        ("schema", "expected"),
        [
            ({**STRING, "format": "email"}, ValueLimits(pattern=FORMATS["email"])),
            ({"anyOf": [{**STRING, "format": "uuid"}, {"type": "null"}]}, {"pattern": "uuid"}),
            ({**STRING, "pattern": "^a"}, ValueLimits(pattern="^a")),
            ({**STRING, "pattern": "^a", "format": "email"}, ValueLimits(pattern="^a")),
            ({**STRING, "enum": ["NO", None]}, ValueLimits(values=("NO",))),
            (
                {**STRING, "minLength": 2, "maxLength": 3},
                ValueLimits(min_length=2, max_length=3),
            ),
            (
                {**INTEGER, "minimum": 0, "enum": [1, 2]},
                ValueLimits(values=(1, 2), minimum=0),
            ),
            ({"type": "number", "exclusiveMaximum": 9.5}, ValueLimits(exclusive_maximum=9.5)),
        ],
    )
    def test_what_the_schema_says_of_values_is_one_check_of_a_column(
        self, schema: dict[str, Any], expected: Any
    ) -> None:
        check = derived(stream({"a": schema}, key=()))["invalid__a"]
        if isinstance(expected, dict):
            expected = ValueLimits(pattern=FORMATS[str(expected["pattern"])])
        assert check.parameters == expected
        assert check.threshold == Threshold(ANY, Limit(Operator.GT, 5, Unit.PERCENT))

    @pytest.mark.parametrize(
        "schema",
        [
            STRING,
            {**STRING, "format": "binary"},
            {**STRING, "minLength": 0},
            {**STRING, "minimum": 3},
            {**STRING, "enum": [1, True]},
            {**INTEGER, "pattern": "^1", "maxLength": 3},
            {**INTEGER, "enum": ["1"]},
            {**INSTANT, "pattern": "^2"},
            {"type": "boolean", "enum": [True]},
            {"type": "object", "minLength": 1},
        ],
    )
    def test_what_cannot_be_said_of_the_values_in_chart_is_no_check(
        self, schema: dict[str, Any]
    ) -> None:
        assert "invalid__a" not in derived(stream({"a": schema}, key=()))

    def test_an_instant_that_is_kept_as_text_must_look_like_one(self) -> None:
        users = stream({"a": INSTANT}, key=())
        text = replace(users.columns[0], type=stream({"a": STRING}).columns[0].type)
        check = derived(replace(users, columns=(text,)))["invalid__a"]
        assert check.parameters == ValueLimits(pattern=FORMATS["date-time"])

    def test_the_description_says_all_of_it(self) -> None:
        check = derived(stream({"a": {**INTEGER, "minimum": 1, "maximum": 5}}, key=()))[
            "invalid__a"
        ]
        assert check.description == "a is at least 1, at most 5."
        assert check.origin == "the source's schema: minimum, maximum"

    @pytest.mark.parametrize(
        ("schema", "is_read"),
        [
            (STRING, True),
            ({**STRING, "pattern": "a"}, True),
            ({**STRING, "pattern": "a", "format": "email"}, True),
            ({**STRING, "format": "email"}, False),
            ({**STRING, "enum": ["a"]}, False),
            (INTEGER, False),
            ({"type": "object"}, False),
        ],
    )
    def test_text_is_read_for_damage_unless_another_check_would_find_it(
        self, schema: dict[str, Any], is_read: bool
    ) -> None:
        assert ("text_damage__a" in derived(stream({"a": schema}, key=()))) is is_read


class TestFreshness:
    def test_a_sync_is_late_by_the_schedule_of_the_rules(self) -> None:
        check = derived(stream({"id": INTEGER}), cron="0 */6 * * *")["fresh_sync"]
        assert check.threshold == Threshold(warn=seconds(9 * HOUR), fail=seconds(18 * HOUR))
        assert check.dimension is Dimension.TIMELINESS

    @pytest.mark.parametrize(
        "schedule",
        [
            {"schedule_type": "cron", "cron": "0 0 0/6 * * ?"},
            {"schedule_type": "basic", "every_seconds": 6 * HOUR},
        ],
    )
    def test_a_sync_is_late_by_the_schedule_of_airbyte(self, schedule: dict[str, Any]) -> None:
        check = derived(stream({"id": INTEGER}), **schedule)["fresh_sync"]
        assert check.threshold == Threshold(warn=seconds(9 * HOUR), fail=seconds(18 * HOUR))

    @pytest.mark.parametrize(
        "schedule",
        [
            {"schedule_type": "manual", "every_seconds": HOUR},
            {"schedule_type": "cron", "cron": "0 0 12 L * ?"},
            {"status": "inactive", "cron": "0 * * * *"},
        ],
    )
    def test_without_a_schedule_the_age_is_only_measured(self, schedule: dict[str, Any]) -> None:
        checks = derived(stream({"id": INTEGER, "at": INSTANT}, cursor=["at"]), **schedule)
        assert checks["fresh_sync"].threshold == MEASURED
        assert checks["fresh_cursor"].threshold == MEASURED

    def test_a_source_that_has_nothing_new_is_not_stale(self) -> None:
        changes = derived(stream({"id": INTEGER}))["fresh_sync"]
        whole = derived(stream({"id": INTEGER}, sync_mode=SyncMode.FULL_REFRESH))["fresh_sync"]
        assert changes.parameters == FreshnessParameters(or_of_sync=True)
        assert whole.parameters == FreshnessParameters(or_of_sync=False)

    def test_an_old_cursor_warns_and_never_fails(self) -> None:
        users = stream({"id": INTEGER, "at": INSTANT}, cursor=["at"])
        check = derived(users, cron="0 * * * *")["fresh_cursor"]
        assert (check.columns, check.threshold) == (("at",), Threshold(warn=seconds(2 * HOUR)))

    def test_a_day_as_cursor_has_a_day_more(self) -> None:
        users = stream({"id": INTEGER, "on": DAY}, cursor=["on"])
        check = derived(users, cron="0 * * * *")["fresh_cursor"]
        assert check.threshold == Threshold(warn=seconds(26 * HOUR))

    @pytest.mark.parametrize("cursor", [[], ["id"], ["gone"], ["data", "at"]])
    def test_a_cursor_that_is_no_instant_is_not_checked(self, cursor: list[str]) -> None:
        users = stream({"id": INTEGER, "data": {"type": "object"}}, cursor=cursor)
        assert "fresh_cursor" not in derived(users)


class TestPairs:
    @pytest.mark.parametrize(
        ("earlier", "later"),
        [
            ("created_at", "updated_at"),
            ("createdAt", "updatedAt"),
            ("start_date", "end_date"),
            ("valid_from", "valid_to"),
            ("contract_start", "contract_end"),
            ("Start Time", "End Time"),
            ("ordered_at", "shipped_at"),
        ],
    )
    def test_two_ends_of_one_time_are_in_order(self, earlier: str, later: str) -> None:
        checks = derived(stream({later: INSTANT, earlier: INSTANT}, key=()))
        (check,) = [check for check in checks.values() if check.rule is Rule.PAIR]
        assert (check.columns, check.threshold) == ((earlier, later), WARNS)

    @pytest.mark.parametrize(
        "properties",
        [
            {"created_at": INSTANT, "updated_on": INSTANT},
            {"created_at": INSTANT, "updated_at": DAY},
            {"created_at": INSTANT, "updated_at": MAYBE},
            {"contract_start": INSTANT, "trial_end": INSTANT},
            {"fromage": INSTANT, "tomage": INSTANT},
        ],
    )
    def test_columns_that_are_no_two_ends_are_not_compared(
        self, properties: dict[str, Any]
    ) -> None:
        checks = derived(stream(properties, key=()))
        assert not [check for check in checks.values() if check.rule is Rule.PAIR]


class TestReferences:
    @pytest.mark.parametrize(
        ("sibling", "column"),
        [
            ("users", "user_id"),
            ("user", "user_id"),
            ("Users", "userId"),
            ("companies", "company_id"),
            ("addresses", "address_id"),
            ("purchases", "PurchaseID"),
            ("order_lines", "order_line_id"),
        ],
    )
    def test_a_column_called_as_the_key_of_a_sibling_refers_to_it(
        self, sibling: str, column: str
    ) -> None:
        target = stream({"id": INTEGER}, name=sibling)
        checks = derived(stream({"id": INTEGER, column: INTEGER}, name="notes"), target)
        (check,) = [check for check in checks.values() if check.rule is Rule.REFERENCE]
        assert check.columns == (column,)
        assert check.threshold == WARNS
        assert check.parameters == ReferenceParameters(Table("chart", target.table_name), "id")

    def test_two_siblings_of_one_name_are_told_apart_by_the_namespace(self) -> None:
        orders = stream(ORDERS, name="orders", namespace="eu")
        users = [stream({"id": INTEGER}, namespace=namespace) for namespace in ("us", "eu")]
        check = derived(orders, *users)["reference__user_id"]
        assert isinstance(check.parameters, ReferenceParameters)
        assert check.parameters.table.name == "crm__eu_users"

    @pytest.mark.parametrize(
        "siblings",
        [
            [],
            [stream({"id": STRING})],
            [stream({"id": INTEGER, "tenant": INTEGER}, key=(("id",), ("tenant",)))],
            [stream({"id": INTEGER}, key=())],
            [stream({"id": INTEGER}), stream({"id": INTEGER}, name="user")],
            [stream({"id": INTEGER}, name="customers")],
        ],
        ids=["none", "another type", "two key columns", "no key", "two are meant", "other names"],
    )
    def test_without_one_sibling_that_is_meant_there_is_no_reference(
        self, siblings: list[Any]
    ) -> None:
        checks = derived(stream(ORDERS, name="orders"), *siblings)
        assert "reference__user_id" not in checks

    def test_a_stream_does_not_refer_to_itself(self) -> None:
        assert "reference__user_id" not in derived(
            stream({"user_id": INTEGER}, key=(("user_id",),))
        )


def test_history_is_checked_in_navigate() -> None:
    checks = derived(stream({"id": INTEGER}))
    found = [check for check in checks.values() if check.layer == "navigate"]
    assert [check.parameters for check in found] == [
        HistoryParameters(rule, Table("navigate", "crm__users")) for rule in HistoryRule
    ]
    assert {check.threshold for check in found} == {FAILS}
