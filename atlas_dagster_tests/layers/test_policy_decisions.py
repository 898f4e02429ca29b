"""What is done to a field, given what was found in it and what the rules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from atlas_dagster.errors import ConfigError
from atlas_dagster.layers.policy import FieldPolicy
from atlas_dagster.layers.policy_decisions import StreamDecision, decide_stream
from atlas_dagster.pii_rules import Action, PiiPolicy, PiiRules
from atlas_dagster_tests.layers.support import make_stream

STREAM = make_stream({"email": {"type": "string"}, "a.b": {"type": "string"}}, key=(("email",),))
EMAIL = {("email",): ["EMAIL_ADDRESS"]}
PHONE = {("phones", "[]"): ["PHONE_NUMBER"]}


def decide(
    rules: PiiRules, found: Mapping[tuple[str, ...], Sequence[str]], secret: str | None = "k" * 16
) -> StreamDecision:
    return decide_stream(STREAM, STREAM.primary_key, PiiPolicy((rules,)), found, secret)


def test_what_is_kept_is_no_policy_and_unexpected_unless_a_rule_says_keep() -> None:
    silent = decide(PiiRules(), PHONE)
    assert (silent.policy.fields, [f.name for f in silent.unexpected]) == ((), ["phones[]"])
    told = decide(PiiRules(entities={"PHONE_NUMBER": Action.KEEP}), PHONE)
    assert (told.policy.fields, told.unexpected) == ((), ())


def test_a_default_leaves_keys_apart_by_hashing_them() -> None:
    decision = decide(PiiRules(default=Action.MASK), {**EMAIL, **PHONE})
    assert decision.policy.fields == (
        FieldPolicy(("email",), Action.HASH),
        FieldPolicy(("phones", "[]"), Action.MASK),
    )


def test_a_rule_for_a_key_is_taken_at_its_word() -> None:
    decision = decide(PiiRules(columns={"email": Action.MASK}), EMAIL)
    assert decision.policy.fields == (FieldPolicy(("email",), Action.MASK),)


def test_a_field_that_a_rule_names_is_changed_whatever_is_found_in_it() -> None:
    decision = decide(PiiRules(columns={"notes[].text": Action.DROP, "a.b": Action.REDACT}), {})
    assert decision.policy.fields == (
        FieldPolicy(("a.b",), Action.REDACT),
        FieldPolicy(("notes", "[]", "text"), Action.DROP),
    )
    assert decision.unexpected == ()


def test_to_fail_is_no_change_and_means_only_what_is_found() -> None:
    rules = PiiRules(columns={"email": Action.FAIL, "ssn": Action.FAIL})
    decision = decide(rules, EMAIL)
    assert [field.name for field in decision.refused] == ["email"]
    assert decision.policy.fields == ()


def test_a_hash_needs_a_key() -> None:
    with pytest.raises(ConfigError, match=r"^ATLAS_PII_HASH_KEY: not set"):
        decide(PiiRules(default=Action.HASH), EMAIL, secret=None)
