"""Values of people as they stand in tables, with real check digits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import TypeAlias

from atlas_dagster_tests.pii.vocabulary import CITIES, FIRST_NAMES, LAST_NAMES, STREETS

Maker: TypeAlias = Callable[[Random, str], str]

PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ç": "c", "ñ": "n", "ó": "o",
     "í": "i", "á": "a", "ú": "u", "ø": "oe", "æ": "ae", "å": "aa", "ë": "e", "ï": "i", "ô": "o"}
)  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(r: Random, count: int) -> str:
    return "".join(r.choices("0123456789", k=count))


def either(*makers: Maker) -> Maker:
    return lambda r, lang: r.choice(makers)(r, lang)


def sometimes(share: float, maker: Maker, otherwise: Maker) -> Maker:
    """The one in a share of the rows, else the other."""
    return lambda r, lang: maker(r, lang) if r.random() < share else otherwise(r, lang)


def constant(*choices: str) -> Maker:
    return lambda r, lang: r.choice(choices)


# People


def first_name(r: Random, lang: str) -> str:
    return r.choice(FIRST_NAMES[lang])


def last_name(r: Random, lang: str) -> str:
    return r.choice(LAST_NAMES[lang])


def full_name(r: Random, lang: str) -> str:
    return f"{first_name(r, lang)} {last_name(r, lang)}"


def email(r: Random, lang: str) -> str:
    first, last = (
        part.lower().translate(PLAIN).replace(" ", "")
        for part in (first_name(r, lang), last_name(r, lang))
    )
    local = r.choice([f"{first}.{last}", f"{first[0]}{last}", f"{first}{r.randint(1, 99)}"])
    domain = {
        "en": ["gmail.com", "yahoo.co.uk", "example.org"],
        "de": ["gmx.de", "web.de", "t-online.de"],
        "fr": ["orange.fr", "free.fr", "laposte.net"],
        "es": ["hotmail.es", "telefonica.net", "gmail.com"],
        "da": ["mail.dk", "live.dk", "stofanet.dk"],
    }[lang]
    return f"{local}@{r.choice(domain)}"


def username(r: Random, lang: str) -> str:
    first, last = first_name(r, lang).lower(), last_name(r, lang).lower()
    name = r.choice([f"{first}_{last[0]}", f"{first[:3]}{last}", f"{first}{r.randint(1, 2005)}"])
    return name.translate(PLAIN).replace(" ", "")


def phone_international(r: Random, lang: str) -> str:
    if lang == "en":
        return r.choice([f"+1 {_nanp(r)}", f"+44 7{digits(r, 3)} {digits(r, 6)}"])
    if lang == "de":
        return f"+49 {r.choice(['151', '160', '170', '176'])} {digits(r, 8)}"
    if lang == "fr":
        return f"+33 6 {' '.join(digits(r, 2) for _ in range(4))}"
    if lang == "es":
        return f"+34 6{digits(r, 2)} {digits(r, 3)} {digits(r, 3)}"
    return f"+45 {r.choice('25')}{digits(r, 1)} {' '.join(digits(r, 2) for _ in range(3))}"


def phone_national(r: Random, lang: str) -> str:
    if lang == "en":
        return r.choice([_nanp(r), f"({_nanp(r).replace('-', ') ', 1)}"])
    if lang == "de":
        return f"0{r.choice(['30', '40', '89', '221'])} {r.randint(2, 9)}{digits(r, 6)}"
    if lang == "fr":
        return f"0{r.choice('1234')} {' '.join(digits(r, 2) for _ in range(4))}"
    if lang == "es":
        return f"9{r.randint(1, 8)}{digits(r, 1)} {digits(r, 3)} {digits(r, 3)}"
    return f"{r.randint(2, 9)}{digits(r, 1)} {' '.join(digits(r, 2) for _ in range(3))}"


def phone_digits(r: Random, lang: str) -> str:
    return "".join(sign for sign in phone_national(r, lang) if sign.isdigit())


def _nanp(r: Random) -> str:
    area = r.choice(["212", "415", "312", "617", "206", "305", "713"])
    return f"{area}-{r.randint(2, 9)}{r.randint(2, 9)}{digits(r, 1)}-{digits(r, 4)}"


def street(r: Random, lang: str) -> str:
    name, number = r.choice(STREETS[lang]), r.randint(1, 180)
    return f"{number} {name}" if lang in ("en", "fr") else f"{name} {number}"


def city(r: Random, lang: str) -> str:
    return r.choice(CITIES[lang])[0]


def postal_code(r: Random, lang: str) -> str:
    return r.choice(CITIES[lang])[1]


def address(r: Random, lang: str) -> str:
    town, code = r.choice(CITIES[lang])
    return f"{street(r, lang)}, {code} {town}"


def birth_date(r: Random) -> date:
    return date(1935, 1, 1) + timedelta(days=r.randint(0, 26_000))


def dob_iso(r: Random, lang: str) -> str:
    return birth_date(r).isoformat()


def dob_local(r: Random, lang: str) -> str:
    pattern = {"en": "%m/%d/%Y", "de": "%d.%m.%Y", "fr": "%d/%m/%Y", "es": "%d/%m/%Y"}
    return birth_date(r).strftime(pattern.get(lang, "%d-%m-%Y"))


def dob_digits(r: Random, lang: str) -> str:
    return birth_date(r).strftime("%Y%m%d")


def gender(r: Random, lang: str) -> str:
    words = {"en": ["male", "female", "other"], "de": ["m", "w", "d"], "fr": ["H", "F"],
             "es": ["hombre", "mujer"], "da": ["mand", "kvinde", "andet"]}  # fmt: skip
    return r.choice(words[lang])


# Numbers with check digits


def iban(r: Random, lang: str) -> str:
    country, length = {"en": ("GB", 14), "de": ("DE", 18), "fr": ("FR", 23), "es": ("ES", 20),
                       "da": ("DK", 14)}[lang]  # fmt: skip
    bban = ("NWBK" if country == "GB" else "") + digits(r, length)
    moved = "".join(str(int(sign, 36)) for sign in f"{bban}{country}00")
    return f"{country}{98 - int(moved) % 97:02d}{bban}"


def iban_spaced(r: Random, lang: str) -> str:
    plain = iban(r, lang)
    return " ".join(plain[at : at + 4] for at in range(0, len(plain), 4))


def luhn_digit(number: str) -> str:
    total = 0
    for at, sign in enumerate(reversed(number)):
        value = int(sign) * (2 if at % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def credit_card(r: Random, lang: str) -> str:
    stem = r.choice(["4", "51", "52", "53", "54", "55"])
    stem += digits(r, 15 - len(stem))
    return stem + luhn_digit(stem)


def credit_card_grouped(r: Random, lang: str) -> str:
    plain, sign = credit_card(r, lang), r.choice(" -")
    return sign.join(plain[at : at + 4] for at in range(0, 16, 4))


def cpr(r: Random, lang: str) -> str:
    """A Danish one that passes modulo 11."""
    while True:
        stem = birth_date(r).strftime("%d%m%y") + digits(r, 3)
        check = -sum(int(d) * w for d, w in zip(stem, (4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True))
        if check % 11 < 10:
            return f"{stem[:6]}-{stem[6:]}{check % 11}"


def personnummer(r: Random, lang: str) -> str:
    stem = birth_date(r).strftime("%y%m%d") + digits(r, 3)
    return f"{stem[:6]}-{stem[6:]}{luhn_digit(stem)}"


def nif(r: Random, lang: str) -> str:
    number = digits(r, 8)
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def insee(r: Random, lang: str) -> str:
    born = birth_date(r)
    stem = f"{r.randint(1, 2)}{born:%y%m}{r.randint(1, 95):02d}{digits(r, 6)}"
    return f"{stem}{97 - int(stem) % 97:02d}"


def steuer_id(r: Random, lang: str) -> str:
    stem, product = str(r.randint(1, 9)) + digits(r, 9), 10
    for sign in stem:
        product = ((int(sign) + product) % 10 or 10) * 2 % 11
    return stem + str((11 - product) % 10)


def ssn(r: Random, lang: str) -> str:
    return f"{r.randint(100, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}"


def ssn_digits(r: Random, lang: str) -> str:
    return ssn(r, lang).replace("-", "")


def nino(r: Random, lang: str) -> str:
    return f"{r.choice('ABCEGHJ')}{r.choice('ABCEGHJ')}{digits(r, 6)}{r.choice('ABCD')}"


def nhs_number(r: Random, lang: str) -> str:
    while True:
        stem = r.choice("4679") + digits(r, 8)
        check = 11 - sum(int(d) * w for d, w in zip(stem, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return stem + str(check % 11)


def passport(r: Random, lang: str) -> str:
    if lang == "de":
        return "C" + "".join(r.choices("0123456789CFGHJKLMNPRTVWXYZ", k=8))
    if lang == "fr":
        return digits(r, 2) + "".join(r.choices(LETTERS, k=2)) + digits(r, 5)
    if lang == "es":
        return "".join(r.choices(LETTERS, k=3)) + digits(r, 6)
    return digits(r, 9)


def driver_license(r: Random, lang: str) -> str:
    if lang == "en":
        return r.choice(LETTERS) + digits(r, 7)
    return digits(r, 8 if lang == "da" else 12)


def account_number(r: Random, lang: str) -> str:
    return digits(r, 10)


def health_insurance_number(r: Random, lang: str) -> str:
    return r.choice(LETTERS) + digits(r, 9)


def imei(r: Random, lang: str) -> str:
    stem = "35" + digits(r, 12)
    return stem + luhn_digit(stem)
