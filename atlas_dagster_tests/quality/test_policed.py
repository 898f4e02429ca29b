"""Checks under a policy for personal data."""

from __future__ import annotations

import pytest

from atlas_dagster.layers.policy import FieldPolicy, StreamPolicy, policed_stream
from atlas_dagster.pii_rules import Action
from atlas_dagster.quality.derive import derive_checks
from atlas_dagster.quality.policed import PolicedChecks, police_checks
from atlas_dagster.quality.spec import (
    Check,
    Dimension,
    Json,
    MissingParameters,
    Rule,
    Status,
    Threshold,
    UserParameters,
)
from atlas_dagster.quality.surroundings import load_surroundings
from atlas_dagster_tests.quality.catalogs import (
    DAY,
    INSTANT,
    INTEGER,
    MAYBE,
    connection,
    rules,
    stream,
)

USERS = stream(
    {
        "id": {"type": "string"},
        "email": {**MAYBE, "format": "email"},
        "name": MAYBE,
        "born": DAY,
        "created_at": INSTANT,
        "updated_at": INSTANT,
        "company_id": INTEGER,
        "address": {"type": "object"},
        "ctid": INTEGER,
    },
    cursor=["updated_at"],
)
COMPANIES = stream({"id": INTEGER}, name="companies")
AROUND = load_surroundings(connection(USERS, COMPANIES), rules())["users"]
CHECKS = derive_checks(USERS, AROUND)
CHANGING = [Action.MASK, Action.HASH, Action.REDACT]


def policed(others: Action = Action.KEEP, **actions: Action) -> PolicedChecks:
    return police_checks(USERS, CHECKS, actions, {"crm__companies": {"id": others}})


def reasons(result: PolicedChecks) -> dict[str, str]:
    assert {outcome.status for outcome in result.not_checked} <= {Status.NOT_CHECKED}
    return {outcome.check.name: outcome.message for outcome in result.not_checked}


def user_check(type_: str, column: str, **body: Json) -> Check:
    parameters = UserParameters(type_, body, column)
    return Check(
        *("user__x", Rule.USER, Dimension.VALIDITY, (column,), "", "", Threshold(), parameters)
    )


def test_without_a_policy_all_checks_stay_as_they_are() -> None:
    assert policed() == PolicedChecks(CHECKS, ())
    assert policed(email=Action.KEEP) == PolicedChecks(CHECKS, ())


def test_no_check_is_lost() -> None:
    result = policed(email=Action.DROP, company_id=Action.MASK)
    names = {check.name for check in result.checks} | set(reasons(result))
    assert names == {check.name for check in CHECKS}


@pytest.mark.parametrize("action", CHANGING)
def test_what_is_changed_has_no_format_and_is_still_missing_where_it_was(action: Action) -> None:
    result = policed(email=action, name=action)
    assert set(reasons(result)) == {"invalid__email", "text_damage__name"}
    assert "missing__email" in {check.name for check in result.checks}


def test_the_reason_names_the_column_and_what_is_done_to_it() -> None:
    assert reasons(policed(email=Action.HASH)) == {
        "invalid__email": "email is hashed on its way to chart"
    }


@pytest.mark.parametrize("action", CHANGING)
def test_an_instant_that_is_changed_has_no_age_and_no_order(action: Action) -> None:
    assert set(reasons(policed(updated_at=action))) == {
        "fresh_cursor",
        "pair__created_at__updated_at",
    }


def test_of_what_is_dropped_nothing_is_checked() -> None:
    assert set(reasons(policed(email=Action.DROP))) == {"missing__email", "invalid__email"}


@pytest.mark.parametrize("action", [*CHANGING, Action.DROP])
def test_the_schema_is_the_one_that_the_policy_leaves_in_chart(action: Action) -> None:
    actions = dict.fromkeys(("email", "born", "address", "ctid"), action)
    result = policed(**actions)
    policy = StreamPolicy(tuple(FieldPolicy((name,), action) for name in actions))
    expected = derive_checks(policed_stream(USERS, policy), AROUND)
    assert [c for c in result.checks if c.name == "schema"] == [
        c for c in expected if c.name == "schema"
    ]


def test_an_empty_key_cannot_be_told_once_it_is_hashed() -> None:
    (check,) = [c for c in policed(id=Action.HASH).checks if c.name == "missing__id"]
    assert check.parameters == MissingParameters(empty_is_missing=False)
    assert check.description == "id is never missing."


@pytest.mark.parametrize(
    ("here", "there", "reason"),
    [
        (Action.KEEP, Action.KEEP, None),
        (Action.HASH, Action.HASH, None),
        (Action.HASH, Action.KEEP, "company_id is hashed on its way to chart"),
        (Action.MASK, Action.MASK, "company_id is masked on its way to chart"),
        (Action.KEEP, Action.HASH, "chart.crm__companies.id is hashed on its way to chart"),
        (Action.KEEP, Action.DROP, "chart.crm__companies.id is dropped on its way to chart"),
    ],
)
def test_a_reference_holds_between_two_hashes_and_between_two_that_are_kept(
    here: Action, there: Action, reason: str | None
) -> None:
    assert reasons(policed(there, company_id=here)).get("reference__company_id") == reason


@pytest.mark.parametrize(
    ("check", "action", "is_checked"),
    [
        (user_check("missing", "email"), Action.MASK, True),
        (user_check("missing", "email"), Action.DROP, False),
        (user_check("missing", "email", missing_values=["N/A"]), Action.MASK, False),
        (user_check("duplicate", "email"), Action.HASH, True),
        (user_check("duplicate", "email"), Action.MASK, False),
        (user_check("invalid", "email", valid_min_length=3), Action.HASH, False),
        (user_check("aggregate", "email", function="max_length"), Action.HASH, False),
    ],
)
def test_a_check_of_the_user_is_made_where_it_still_means_the_same(
    check: Check, action: Action, is_checked: bool
) -> None:
    result = police_checks(USERS, [check], {"email": action})
    assert bool(result.checks) is is_checked
    assert bool(result.not_checked) is not is_checked
