"""What config/atlas.yaml says happens to personal data, and how a mistake in it reads."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.errors import ConfigError
from atlas_dagster.pii.column_words import NOTHING, PHRASES
from atlas_dagster.pii_entities import BY_NAME, PRESIDIO, installed_entities
from atlas_dagster.pii_rules import Action, PiiPolicy, PiiRules, field_name, field_path
from atlas_dagster.rules import load_rules
from atlas_dagster.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    return load_settings({})


def policy_of(settings: Settings, text: str, stream: str = "users") -> PiiPolicy:
    settings.atlas_file.write_text(textwrap.dedent(text), "utf-8")
    return load_rules(settings).stream("shop", stream).pii


def test_without_a_rule_all_is_kept_and_what_is_found_is_unexpected() -> None:
    decision = PiiPolicy().decide("email", ["EMAIL_ADDRESS"])
    assert (decision.action, decision.is_expected) == (Action.KEEP, False)


def test_a_field_in_which_nothing_is_found_is_kept_and_expected() -> None:
    assert PiiPolicy((PiiRules(default=Action.DROP),)).decide("size", []).action is Action.KEEP
    assert PiiPolicy().decide("size", []).is_expected


def test_a_column_goes_before_an_entity_and_an_entity_before_the_default() -> None:
    rules = PiiRules(Action.REDACT, {"PERSON": Action.MASK}, {"name": Action.KEEP})
    policy = PiiPolicy((rules,))
    assert policy.decide("name", ["PERSON"]).action is Action.KEEP
    assert policy.decide("author", ["PERSON"]).action is Action.MASK
    found = policy.decide("mail", ["EMAIL_ADDRESS"])
    assert (found.action, found.is_expected) == (Action.REDACT, False)


def test_of_several_entities_the_strictest_decides() -> None:
    policy = PiiPolicy((PiiRules(None, {"PERSON": Action.HASH, "PHONE_NUMBER": Action.MASK}),))
    found = policy.decide("note", ["PHONE_NUMBER", "PERSON", "URL"])
    assert (found.action, found.is_expected) == (Action.HASH, False)


def test_what_is_nearer_to_the_stream_decides(settings: Settings) -> None:
    policy = policy_of(
        settings,
        """
        pii: {default: mask, entities: {IBAN_CODE: drop}}
        connections:
          shop:
            pii: {entities: {EMAIL_ADDRESS: hash}, columns: {vip: fail}}
            streams:
              users:
                pii: {default: redact, columns: {"address.street": keep}}
        """,
    )
    actions = {
        name: policy.decide(name, [entity]).action
        for name, entity in {
            "address.street": "LOCATION",
            "phone": "PHONE_NUMBER",
            "email": "EMAIL_ADDRESS",
            "vip": "PERSON",
        }.items()
    }
    assert actions == {
        "address.street": Action.KEEP,
        "phone": Action.REDACT,
        "email": Action.REDACT,
        "vip": Action.FAIL,
    }


def test_streams_and_connections_that_no_rule_names_have_the_rules_around_them(
    settings: Settings,
) -> None:
    text = "{pii: {default: mask}, connections: {shop: {pii: {entities: {URL: keep}}}}}"
    policy = policy_of(settings, text, "orders")
    assert policy.decide("site", ["URL"]).action is Action.KEEP
    other = load_rules(settings).stream("crm", "people").pii
    assert other.decide("site", ["URL"]).action is Action.MASK


parts = st.text(st.characters(blacklist_characters=".[]", codec="utf-8"), min_size=1)


@given(parts, st.lists(st.one_of(parts, st.just("[]"))))
def test_a_name_stands_for_one_path(first: str, rest: list[str]) -> None:
    path = (first, *rest)
    assert field_path(field_name(path)) == path


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{defualt: mask}", ".defualt: unknown key; did you mean default?"),
        ("{default: hide}", ".default: expected one of keep, mask, hash, redact, drop, fail;"),
        ("{columns: {a: }}", ".columns.a: expected one of keep, mask, hash, redact, drop, fail;"),
        ("{entities: {email: mask}}", ".entities.email: expected the name of an entity, such as"),
        (
            "{entities: {EMAIL_ADRESS: mask}}",
            ".entities.EMAIL_ADRESS: unknown entity; did you mean",
        ),
        ("{entities: {X: mask}}", ".entities.X: unknown entity; expected one of Presidio's, such"),
        ("{columns: {'a..b': mask}}", '.columns["a..b"]: expected a field, such as email,'),
        ("{columns: {'': mask}}", '.columns[""]: expected a field, such as email,'),
    ],
)
def test_a_mistake_is_named(settings: Settings, body: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy_of(settings, f"pii: {body}")
    assert str(caught.value).startswith(f"config/atlas.yaml:1: pii{message}")


def test_an_entity_may_be_one_of_an_own_recognizer_or_of_a_field_s_name(settings: Settings) -> None:
    settings.recognizers_file.write_text(
        "recognizers:\n"
        "  - EmailRecognizer\n"
        "  - {name: a, supported_entity: CUSTOMER_NUMBER, deny_list: [x]}\n"
        "  - {name: b, supported_entities: [CONTRACT], deny_list: [y]}\n"
    )
    policy = policy_of(
        settings, "pii: {entities: {CUSTOMER_NUMBER: hash, CONTRACT: drop, DATE_OF_BIRTH: mask}}"
    )
    assert policy.decide("number", ["CUSTOMER_NUMBER"]).action is Action.HASH


def test_the_names_that_are_known_without_presidio_are_those_that_it_has() -> None:
    assert installed_entities() == PRESIDIO
    named = {phrases.entity for phrases in PHRASES} - {NOTHING}
    assert named - PRESIDIO == BY_NAME
