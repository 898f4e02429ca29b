"""What the name of a field says of its values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas_dagster.pii.column_names import folded, name_evidence, name_tokens
from atlas_dagster.pii.column_words import LIKELY


def entities(name: str, stream: str = "") -> set[str]:
    """What a dotted path says, where that is enough without findings."""
    evidence = name_evidence(name.split("."), stream)
    return {support.entity for support in evidence.supports if support.weight >= LIKELY}


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("customerE-Mail2", ("customer", "e", "mail", "2")),
        ("IPAddress", ("ip", "address")),
        ("HTTPServerName", ("http", "server", "name")),
        ("fødselsdato", ("fodselsdato",)),
        ("Straße_Nr", ("strasse", "nr")),
        ("kundenemail", ("kunden", "email")),
        ("lieferungsadresse", ("lieferungs", "adresse")),
        ("import", ("import",)),
        ("relationship", ("relationship",)),
        ("__", ()),
        ("", ()),
    ],
)
def test_a_name_is_read_as_words(name: str, tokens: tuple[str, ...]) -> None:
    assert name_tokens(name) == tokens


@pytest.mark.parametrize(
    "name", ["date_of_birth", "dateOfBirth", "DATEOFBIRTH", "date-of-birth", "Date of birth", "dob"]
)
def test_one_phrase_is_found_however_it_is_written(name: str) -> None:
    assert entities(name) == {"DATE_OF_BIRTH"}


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        ("vorname", "PERSON"),
        ("nom_de_famille", "PERSON"),
        ("segundoApellido", "PERSON"),
        ("efternavn", "PERSON"),
        ("Handynummer", "PHONE_NUMBER"),
        ("numéro_de_téléphone", "PHONE_NUMBER"),
        ("teléfono_móvil", "PHONE_NUMBER"),
        ("tlf_nr", "PHONE_NUMBER"),
        ("Postleitzahl", "LOCATION"),
        ("code_postal", "LOCATION"),
        ("dirección", "LOCATION"),
        ("vejnavn", "LOCATION"),
        ("Geburtsdatum", "DATE_OF_BIRTH"),
        ("date_naissance", "DATE_OF_BIRTH"),
        ("fecha_de_nacimiento", "DATE_OF_BIRTH"),
        ("fødselsdato", "DATE_OF_BIRTH"),
        ("Steuer-ID", "NATIONAL_ID"),
        ("numero_de_securite_sociale", "NATIONAL_ID"),
        ("DNI", "NATIONAL_ID"),
        ("cpr_nr", "NATIONAL_ID"),
        ("Reisepassnummer", "PASSPORT"),
        ("permis_de_conduire", "DRIVER_LICENSE"),
        ("cuenta_bancaria", "BANK_ACCOUNT"),
        ("kreditkortnummer", "CREDIT_CARD"),
        ("Krankenversichertennummer", "MEDICAL_ID"),
        ("nombre_de_usuario", "USERNAME"),
        ("staatsangehörigkeit", "NRP"),
        ("køn", "GENDER"),
    ],
)
def test_personal_data_has_names_in_many_languages(name: str, entity: str) -> None:
    assert entities(name) == {entity}


@pytest.mark.parametrize(
    "name",
    [
        "order_number",
        "sku",
        "version",
        "hash",
        "created_at",
        "product_name",
        "company_name",
        "file_name",
        "hostname",
        "shop_zip",
        "nom_produit",
        "Firmenname",
        "varenavn",
        "web_address",
        "description",
    ],
)
def test_names_of_other_things_say_nothing(name: str) -> None:
    assert entities(name) == set()


@pytest.mark.parametrize(
    "name", ["email_verified", "has_email", "phone_type", "address_id", "last_login_at", "ssn_hash"]
)
def test_a_word_beside_the_phrase_can_take_it_back(name: str) -> None:
    assert entities(name) == set()


@pytest.mark.parametrize("name", ["verified_email", "notification_email", "email_2", "work_email"])
def test_a_word_before_the_phrase_does_not_unless_it_asks(name: str) -> None:
    assert entities(name) == {"EMAIL_ADDRESS"}


def test_whose_it_is_decides_what_a_name_means() -> None:
    assert entities("name", "users") == {"PERSON"}
    assert entities("name", "products") == set()
    assert entities("customer.name", "orders") == {"PERSON"}
    assert entities("shop.address.city") == set()
    assert entities("customer.address.city") == {"LOCATION"}
    assert entities("company_contact_name") == {"PERSON"}
    assert entities("customer_company_name") == set()
    assert entities("postnr", "butikker") == set()


@pytest.mark.parametrize(
    "name",
    [
        "country_name",
        "countryName",
        "city_name",
        "state_name",
        "region_name",
        "language_name",
        "occupation_name",
        "file_name",
        "product_name",
        "company_name",
        "bank_name",
        "customer_country_name",
        "country.name",
        "customer.country.name",
        "nom_pays",
        "landnavn",
    ],
)
def test_what_belongs_to_a_person_has_names_of_its_own(name: str) -> None:
    assert "PERSON" not in entities(name, "users")


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("first_name", "countries"),
        ("customer_name", "countries"),
        ("contact_name", "companies"),
        ("country_manager_name", "regions"),
        ("region.manager.name", "sales"),
        ("name", "users_by_country"),
    ],
)
def test_a_person_has_a_name_wherever_it_is(name: str, stream: str) -> None:
    assert entities(name, stream) == {"PERSON"}


def test_a_name_alone_is_no_more_than_a_hint() -> None:
    evidence = name_evidence(["name"])
    assert [support.entity for support in evidence.supports] == ["PERSON"]
    assert entities("name") == set()


def test_a_part_is_read_with_what_it_is_a_part_of() -> None:
    assert entities("phones.[].value") == {"PHONE_NUMBER"}
    assert entities("passport.number") == {"PASSPORT"}
    assert entities("address.line1") == {"LOCATION"}
    assert entities("name.first") == {"PERSON"}
    assert entities("emails.[]") == {"EMAIL_ADDRESS"}
    assert entities("phone.type") == set()


def test_an_address_of_a_machine_is_nobodys() -> None:
    assert entities("client_ip") == {"IP_ADDRESS"}
    assert entities("server_ip") == set()
    assert name_evidence(["server_ip"]).denial("IP_ADDRESS") == "server"
    assert entities("switch_mac") == set()


def test_a_name_speaks_against_findings_that_it_explains() -> None:
    evidence = name_evidence(["order_number"])
    assert evidence.denial("CREDIT_CARD") == "order"
    assert evidence.denial("EMAIL_ADDRESS") is None
    assert name_evidence(["order_phone"]).denial("PHONE_NUMBER") is None
    assert name_evidence(["user_agent"]).denial("IP_ADDRESS") == "user agent"


@given(st.lists(st.text(max_size=40), max_size=4), st.text(max_size=20))
def test_any_name_can_be_read(path: list[str], stream: str) -> None:
    evidence = name_evidence(path, stream)
    assert all(0 < support.weight < 1 for support in evidence.supports)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)
