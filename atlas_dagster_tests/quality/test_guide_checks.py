"""The checks that the guide shows, beside the derived ones, as the engine runs them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from atlas_dagster.catalog import Stream
from atlas_dagster.quality.contract import load_contracts
from atlas_dagster.quality.engine import run_checks
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.spec import Outcome, Status
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.layers.support import build, create_landing, land
from atlas_dagster_tests.properties.oracle import Version
from atlas_dagster_tests.quality.catalogs import (
    INSTANT,
    INTEGER,
    MAYBE,
    STRING,
    connection,
    rules,
    stream,
)

GUIDE = Path(__file__).parents[2] / "docs" / "checks.md"
OWN_CHECKS = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[1]
MAYBE_NUMBER = {"type": ["null", "number"]}
MAYBE_TRUE = {"type": ["null", "boolean"]}

COUNTRIES = stream({"code": STRING}, name="countries", key=(("code",),))
USERS = stream(
    {
        "id": INTEGER,
        "email": {**MAYBE, "format": "email"},
        "name": MAYBE,
        "country": {**MAYBE, "enum": ["NO", "Côte d'Ivoire"]},
        "amount": {**MAYBE_NUMBER, "minimum": 0},
        "discount": MAYBE_NUMBER,
        "refunded": MAYBE_TRUE,
        "is_employee": MAYBE_TRUE,
        "country_id": STRING,
        "created_at": INSTANT,
        "updated_at": INSTANT,
        'a "quoted" €': {**MAYBE, "pattern": "^${env.HOME}"},
    },
    cursor=["updated_at"],
)
GOOD = {
    "id": 1,
    "email": "a@example.com",
    "name": "A",
    "country": "NO",
    "amount": 500,
    "discount": 1,
    "refunded": False,
    "is_employee": True,
    "country_id": "NO",
}
BAD = {
    **GOOD,
    "id": 2,
    "email": "nobody",
    "name": "A\x01",
    "country": "no",
    "amount": -1,
    "country_id": "no",
    'a "quoted" €': "x",
}


@pytest.fixture
def outcomes(
    warehouse: PgConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, Outcome]:
    """What comes of the checks of a good row and a bad one, an hour after they were extracted."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "config/checks/crm/users.yml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN_CHECKS, "utf-8")
    now = datetime.now(timezone.utc)  # of the test: a whole suite may have run since its import
    read_at = now - timedelta(hours=1)
    read = {"updated_at": read_at.isoformat()}
    good = {**GOOD, **read, "created_at": (now - timedelta(hours=2)).isoformat()}
    bad = {**BAD, **read, "created_at": now.isoformat()}
    load(warehouse, COUNTRIES, read_at, {"code": "NO"})
    load(warehouse, USERS, read_at, good, bad)
    told = connection(USERS, COUNTRIES)
    contract = load_contracts(load_settings({}), told, rules("0 * * * *"))["users"]
    assert contract.mistakes == ()
    found = run_checks(warehouse, Scan(USERS.chart), contract.checks)
    return {outcome.check.name: outcome for outcome in found}


def load(
    warehouse: PgConnection, loaded: Stream, at: datetime, *records: Mapping[str, Any]
) -> None:
    create_landing(warehouse, loaded)
    names = (f"{loaded.name}-{number}" for number, _ in enumerate(records))
    land(warehouse, loaded, [Version(n, at, r) for n, r in zip(names, records, strict=True)])
    build(warehouse, loaded)


def test_every_check_is_made_and_finds_what_is_wrong(outcomes: Mapping[str, Outcome]) -> None:
    errors = {n: o.message for n, o in outcomes.items() if o.status is Status.ERROR}
    assert errors == {}
    amiss = {n: o.status.value for n, o in outcomes.items() if o.status.value in ("warn", "fail")}
    quoted = next(name for name in outcomes if name.startswith("invalid__a_quoted"))
    assert amiss == {
        "invalid__email": "fail",
        "text_damage__name": "warn",
        "invalid__country": "fail",
        "invalid__amount": "fail",
        quoted: "fail",
        "pair__created_at__updated_at": "warn",
        "reference__country_id": "warn",
        "user__addresses_of_the_company": "fail",
        "user__invalid__country": "fail",
        "user__invalid__country__known": "fail",
        "user__aggregate__amount": "fail",
        "user__discounts": "warn",
        "user__row_count": "fail",
    }


def test_what_is_not_checked_says_why(outcomes: Mapping[str, Outcome]) -> None:
    left_out = {n: o.message for n, o in outcomes.items() if o.status is Status.NOT_CHECKED}
    assert left_out == {"record_count": "no complete sync to compare with"}
