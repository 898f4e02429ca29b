"""The checks that Soda measures: all in one contract, and in halves where one of them fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from atlas_dagster.quality.contract_text import ContractWriter
from atlas_dagster.quality.database_errors import complaint, has_ended, is_timeout, sentence
from atlas_dagster.quality.judge import (
    NO_ROWS,
    Measured,
    describe,
    failed_to_run,
    judge,
    judged,
    not_checked,
)
from atlas_dagster.quality.queries import Scan
from atlas_dagster.quality.soda_scan import SodaResult, Verification, verify
from atlas_dagster.quality.spec import Check, Outcome, Rule, Status, UserParameters
from atlas_dagster.warehouse import PgConnection

_STATUSES = {"PASSED": Status.PASS, "WARN": Status.WARN, "FAILED": Status.FAIL}

_FAILED = {
    "missing": "missing_count",
    "invalid": "invalid_count",
    "duplicate": "duplicate_count",
    "failed_rows": "failed_rows_count",
}
_TESTS_MISSING_TOO = ("missing", "failed_rows")


@dataclass(frozen=True)
class SodaChecks:
    """Runs checks by Soda, and puts an outcome of each into ``outcomes``."""

    connection: PgConnection
    scan: Scan
    types: Mapping[str, str]
    timeout: float
    outcomes: dict[str, Outcome]

    def run(self, checks: Sequence[Check]) -> None:
        """Run checks together. A statement that fails takes all its aggregates with it, so those
        left without a result run again in halves, until the one that fails is alone.
        """
        if not checks:
            return
        marks = {str(number): check for number, check in enumerate(checks)}
        try:
            verification = verify(self.connection, self._contract(marks))
        except (ValueError, psycopg.Error) as error:  # a check that cannot even be written
            verification = Verification({}, (), (str(error),))
        for mark, result in verification.results.items():
            if result.is_evaluated:
                self.outcomes[marks[mark].name] = _outcome(marks[mark], result)
        left = [check for check in checks if check.name not in self.outcomes]
        if not left:
            return
        if not verification.has_errors:
            for check in left:
                self.outcomes[check.name] = not_checked(check, "there is no value to judge")
            return
        why = self._reason(verification, alone=len(checks) == 1)
        if why is not None:
            for check in left:
                self.outcomes[check.name] = failed_to_run(check, why)
            return
        half = (len(left) + 1) // 2
        self.run(left[:half])
        self.run(left[half:])

    def _contract(self, marks: Mapping[str, Check]) -> str:
        writer = ContractWriter(self.connection, self.scan.table, self.scan.days, self.types)
        return writer.text([*marks.items()])

    def _reason(self, verification: Verification, alone: bool) -> str | None:
        """Why checks have no result; None where to run them apart may give some."""
        for error in verification.database_errors:
            if alone or has_ended(error) or is_timeout(error):
                return sentence(error, self.timeout)
        return complaint(verification.complaints) if alone else None


def _outcome(check: Check, result: SodaResult) -> Outcome:
    match check.rule:
        case Rule.USER:
            return _user_outcome(check, result)
        case Rule.ROW_COUNT | Rule.FRESHNESS:
            return judge(check, Measured(value=result.value))
        case _:
            tested, failed = result.counts["check_rows_tested"], result.value
            return judge(check, Measured(tested=tested, failed=int(failed or 0)))


def _user_outcome(check: Check, result: SodaResult) -> Outcome:
    """The outcome of a user's check: as Soda says, but what tested nothing does not pass."""
    given = check.parameters
    assert isinstance(given, UserParameters)
    status = _STATUSES[result.outcome]
    failed, tested = result.counts.get(_FAILED.get(given.type, "")), None
    if failed is not None:
        tested = result.counts.get("check_rows_tested")
        if tested is not None and given.type not in _TESTS_MISSING_TOO:
            tested -= result.counts.get("missing_count") or 0
    if tested == 0 and status is Status.PASS:
        return not_checked(check, NO_ROWS, 0)
    measured = Measured(result.value, tested, failed)
    return judged(check, measured, status, describe(check, measured, status))
