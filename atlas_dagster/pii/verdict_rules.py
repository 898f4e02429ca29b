"""What it takes to call a field personal data: a line an entity, with shares of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from atlas_dagster.pii import column_words as words
from atlas_dagster.pii.findings import FieldFindings

# A shape that more than this share of the rows has is what the field looks like.
TYPICAL = 0.5
# Fewer words a value than this, on average, and a field is not free text.
FREE_TEXT_WORDS = 3.0


@dataclass(frozen=True)
class ValueRule:
    """From which share of the rows on findings of an entity count; None: they never do.

    ``named``: the field's name says the same. ``alone``: it says nothing, and the results cover
    the values; ``embedded``: they lie in longer text. ``denied``: the name says otherwise.
    ``trust`` is how sure the findings are where nothing else is known; ``chance`` the share that
    values of no meaning reach. ``lookalikes`` are shapes of values that fit by chance: they count
    with a name only. ``needs_text``: parts of what is no free text fit by chance too.
    """

    named: float
    alone: float | None
    embedded: float | None
    denied: float | None
    trust: float
    chance: float = 0.0
    lookalikes: tuple[str, ...] = ()
    needs_text: bool = False


@dataclass(frozen=True)
class NameRule:
    """When a name is enough: ``fits`` tells whether the values could be such.

    Where Presidio's recognizer knows every form (``proof``), that share of the rows must have it.
    """

    fits: Callable[[FieldFindings], bool]
    proof: float | None = None


NUMBERS = ("integers_only", "decimal", "uuid", "iso_timestamp", "hex")
KEYS = ("uuid", "iso_timestamp", "hex")

VALUE_RULES: Mapping[str, ValueRule] = {
    "EMAIL_ADDRESS": ValueRule(0.01, 0.01, 0.01, 0.8, trust=0.95),
    "IBAN_CODE": ValueRule(0.1, 0.3, 0.02, 0.5, trust=0.95, chance=0.01),
    # A tenth of all numbers passes Luhn's check, and of those with two letters before that of DEA.
    "CREDIT_CARD": ValueRule(0.2, 0.5, 0.15, 0.8, trust=0.95, chance=0.1, lookalikes=KEYS),
    "MEDICAL_LICENSE": ValueRule(0.2, 0.7, None, None, trust=0.8, chance=0.1),
    # Modulo 11 lets 9 of 100 pass.
    "UK_NHS": ValueRule(0.2, 0.7, None, None, trust=0.8, chance=0.1, lookalikes=KEYS),
    "CRYPTO": ValueRule(0.1, 0.3, 0.02, 0.8, trust=0.95),
    "IP_ADDRESS": ValueRule(0.1, 0.5, 0.3, None, trust=0.8),
    "MAC_ADDRESS": ValueRule(0.1, 0.5, 0.1, None, trust=0.85),
    "PHONE_NUMBER": ValueRule(
        0.02, 0.5, 0.05, None, trust=0.7, lookalikes=NUMBERS, needs_text=True
    ),
    "US_SSN": ValueRule(0.1, 0.7, None, None, trust=0.65, lookalikes=NUMBERS),
    "PERSON": ValueRule(0.1, 0.5, 0.05, None, trust=0.7),
}
# Any 8 digits, any date, any key, what businesses are registered with: alone these say nothing.
NEED_A_NAME = frozenset(
    {
        "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_PASSPORT", "US_ITIN", "DATE_TIME", "URL", "UUID",
        "LOCATION", "NRP", "ORGANIZATION", "ABA_ROUTING_NUMBER", "DE_PLZ", "UK_POSTCODE",
        "CA_POSTAL_CODE", "AU_ABN", "AU_ACN", "DE_BSNR", "DE_HANDELSREGISTER", "DE_VAT_ID",
        "IN_GSTIN", "IT_VAT_CODE", "KR_BRN", "SE_ORGANISATIONSNUMMER", "SG_UEN", "ZA_VAT_NUMBER",
        "ZA_COMPANY_REGISTRATION", "US_PROVIDER_TAX_ID",
    }
)  # fmt: skip
# Of other countries' recognizers and of the operator's own nothing is known but their scores.
OTHER_RULE = ValueRule(0.1, 0.5, 0.05, None, trust=0.8, lookalikes=KEYS)
OTHER_SCORE = 0.5
# Below this mean score Presidio itself calls a pattern weak: nine digits as US_SSN, `::` as an IP.
WEAK_SCORE = 0.3

# What is taken for another where no fewer of the rows hold that.
TAKEN_FOR: Mapping[str, tuple[str, ...]] = {
    "PHONE_NUMBER": ("IP_ADDRESS", "IBAN_CODE", "CREDIT_CARD", "CRYPTO"),
}
# The same in values that are no free text: there a date may well stand beside a number.
TAKEN_FOR_IN_SHORT: Mapping[str, tuple[str, ...]] = {"PHONE_NUMBER": ("DATE_TIME",)}

# What findings of which entities say for what a name claims.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    words.NATIONAL_ID: (
        "US_SSN", "US_ITIN", "UK_NINO", "ES_NIF", "ES_NIE", "DE_TAX_ID", "DE_TAX_NUMBER",
        "DE_SOCIAL_SECURITY", "DE_ID_CARD", "IT_FISCAL_CODE", "IT_IDENTITY_CARD",
        "SE_PERSONNUMMER", "FI_PERSONAL_IDENTITY_CODE", "PL_PESEL", "AU_TFN", "CA_SIN",
        "IN_AADHAAR", "IN_PAN", "IN_VOTER", "KR_RRN", "KR_FRN", "NG_NIN", "PH_TIN", "PH_UMID",
        "SG_NRIC_FIN", "TH_TNIN", "TR_NATIONAL_ID", "ZA_ID_NUMBER", "ZA_INCOME_TAX_NUMBER",
    ),
    words.PASSPORT: (
        "US_PASSPORT", "DE_PASSPORT", "ES_PASSPORT", "IN_PASSPORT", "IT_PASSPORT", "KR_PASSPORT",
        "PH_PASSPORT", "UK_PASSPORT", "ZA_PASSPORT",
    ),
    words.DRIVER_LICENSE: (
        "US_DRIVER_LICENSE", "DE_FUEHRERSCHEIN", "IT_DRIVER_LICENSE", "KR_DRIVER_LICENSE",
        "UK_DRIVING_LICENCE", "ZA_DRIVER_LICENSE",
    ),
    words.BANK_ACCOUNT: ("US_BANK_NUMBER",),
    words.MEDICAL_ID: (
        "UK_NHS", "AU_MEDICARE", "DE_HEALTH_INSURANCE", "US_MBI", "US_HEALTH_INSURANCE_MEMBER_ID",
    ),
    words.DATE_OF_BIRTH: ("DATE_TIME",),
    words.DEVICE_ID: ("UUID",),
    "LOCATION": ("DE_PLZ", "UK_POSTCODE", "CA_POSTAL_CODE"),
    "PHONE_NUMBER": ("ZA_MOBILE_NUMBER", "ZA_TELEPHONE_NUMBER"),
}  # fmt: skip


def is_free_text(findings: FieldFindings) -> bool:
    """Sentences rather than a value."""
    shape = findings.shape
    return shape.words >= FREE_TEXT_WORDS and shape.digits < TYPICAL


def fits_words(findings: FieldFindings) -> bool:
    """Few words, no numbers or keys: a name, a login, a sex."""
    shape = findings.shape
    return (
        max(shape.digits, shape.uuid, shape.hex, shape.iso_timestamp) < TYPICAL
        and findings.mean_length <= 60
        and not is_a_switch(findings)
    )


def fits_login(findings: FieldFindings) -> bool:
    """As a name, but a number will do."""
    shape = findings.shape
    return max(shape.uuid, shape.hex, shape.iso_timestamp) < TYPICAL and not is_a_switch(findings)


def fits_place(findings: FieldFindings) -> bool:
    """An address or a part of it: text, a postal code, a coordinate."""
    shape = findings.shape
    return (
        max(shape.uuid, shape.hex, shape.iso_timestamp) < TYPICAL
        and findings.mean_length <= 250
        and not is_a_switch(findings)
    )


def fits_number(findings: FieldFindings) -> bool:
    """A number that somebody was given: 4 to 30 characters, in a few groups."""
    shape = findings.shape
    return (
        max(shape.uuid, shape.iso_timestamp) < TYPICAL
        and 4 <= findings.mean_length <= 30
        and shape.words <= 5
        and not is_a_switch(findings)
    )


def fits_key(findings: FieldFindings) -> bool:
    """A number that something was given, keys included."""
    return findings.shape.iso_timestamp < TYPICAL and 8 <= findings.mean_length <= 64


def fits_phone(findings: FieldFindings) -> bool:
    """Digits and the signs between them."""
    return findings.shape.digits >= TYPICAL and fits_number(findings)


def fits_date(findings: FieldFindings) -> bool:
    """Dates, in a form that is known or in digits."""
    found = findings.entity("DATE_TIME")
    share = found.rows / findings.rows if found else 0.0
    shape = findings.shape
    return (
        max(shape.iso_timestamp, shape.digits, share) >= TYPICAL
        and shape.uuid < TYPICAL
        and not is_a_switch(findings)
    )


def fits_category(findings: FieldFindings) -> bool:
    """One of a few short values."""
    return fits_words(findings) or (findings.distinct_values <= 10 and findings.mean_length <= 3)


def is_a_switch(findings: FieldFindings) -> bool:
    """True and false, 0 and 1: whatever the name says, it is about something else."""
    return findings.distinct_values <= 2 < findings.rows and findings.mean_length <= 5


NAME_RULES: Mapping[str, NameRule] = {
    "PERSON": NameRule(fits_words),
    "LOCATION": NameRule(fits_place),
    "PHONE_NUMBER": NameRule(fits_phone),
    "NRP": NameRule(fits_words),
    "EMAIL_ADDRESS": NameRule(fits_login, proof=0.01),
    "IBAN_CODE": NameRule(fits_number, proof=0.1),
    "CREDIT_CARD": NameRule(fits_number, proof=0.2),
    "IP_ADDRESS": NameRule(fits_login, proof=0.1),
    "MAC_ADDRESS": NameRule(fits_login, proof=0.1),
    "MEDICAL_LICENSE": NameRule(fits_number),
    "CRYPTO": NameRule(fits_key, proof=0.1),
    "URL": NameRule(fits_place, proof=0.3),
    words.DATE_OF_BIRTH: NameRule(fits_date),
    words.NATIONAL_ID: NameRule(fits_number),
    words.PASSPORT: NameRule(fits_number),
    words.DRIVER_LICENSE: NameRule(fits_number),
    words.BANK_ACCOUNT: NameRule(fits_number),
    words.MEDICAL_ID: NameRule(fits_number),
    words.DEVICE_ID: NameRule(fits_key),
    words.USERNAME: NameRule(fits_login),
    words.GENDER: NameRule(fits_category),
}
