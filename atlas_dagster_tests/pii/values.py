"""Values that a scan may stumble over: random, adversarial, and made from the patterns."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import regex

from atlas_dagster.pii.characters import Characters
from atlas_dagster.pii.pattern_tree import (
    Choice,
    NotUnderstoodError,
    Reader,
    Repeat,
    Same,
    Tree,
)
from atlas_dagster.pii.pattern_tree import (
    Sequence as Row,
)

REAL = [
    "margaret.oconnor+12@example-company.com",
    "user@xn--80ak6aa92e.com",
    "jürgen@müller-söhne.de",
    "a@b.co.uk",
    "https://www.example.org/path?q=1#x",
    "'https://example.com/a'",
    "sub-domain.example.museum",
    "4111 1111 1111 1111",
    "378282246310005",
    "5555-5555-5555-4444",
    "DE89370400440532013000",
    "GB29 NWBK 6016 1331 9268 19",
    "fr1420041010050500013m02606",
    "+1-541-754-3010",
    "(541) 754-3010 ext. 123",
    "541.754.3010x99",
    "+49 30 901820",
    "030/901820",
    "0049 (0)30 90 18 20",
    "+44 20 7946 0958",
    "07400 123456",
    "01 23 45 67 89",
    "+33 1 23 45 67 89",
    "(11) 91234-5678",
    "0055 11 91234 5678",
    "098765 43210",
    "050-234-5678",
    "+290 8123",
    "tel:+1-201-555-0123;ext=7",
    "651-234-2345/332-445-1234",
    "12345 - 332-445-1234",
    "(650) 223 3345 (754) 223 3321",
    "1-800-FLOWERS",
    "078-05-1120",
    "856-45-6789",
    "912-70-1234",
    "943 476 5919",
    "401 023 2137",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "192.168.10.12",
    "10.0.0.0/8",
    "::1",
    "fe80::1ff:fe23:4567:890a%eth2",
    "::ffff:192.0.2.128",
    "2001:db8::/32",
    "00:1A:2B:3C:4D:5E",
    "00-1a-2b-3c-4d-5e",
    "0012.3456.789A",
    "550e8400-e29b-41d4-a716-446655440000",
    "00000000-0000-0000-0000-000000000000",
    "2024-05-01T12:34:56.789+02:00",
    "2024-05-01 12:34:56",
    "31/12/1999",
    "12/31/99",
    "1.2.2020",
    "24-DEC-2001",
    "MAY-99",
    "AB1234563",
    "A1234567",
    "H12345678",
    "123456789",
    "1700000000",
    "1700000000123",
    "12.99",
    "v2.10.3-rc.1",
    "SKU-0012-AB",
    "AB123456C",
    "SW1A 1AA",
    "K1A 0B1",
    "ABCDE1234F",
    "S1234567D",
    "51 824 753 556",
    "D1234567",
    "Order 12345 of 3 items at 10:30",
]
WORDS = ["call", "me", "at", "or", "Straße", "наш", "電話", "n°", "tel", "ext", "x", "iban", "id:"]
ODD = (
    list("\n\r\t\x0b\x0c\x00\x1c\x85\u2028\u2029\xa0\u200b\u200d\u2060\ufeff\xad")
    + list("ſKİıßéö́٣३３１０９𝟗႐")
    + list("()[]（）［］+＋-–—−．.／/~∼～,;:@#＃*%$€_xXｘ'\"<>|\\")
    + [" ", "  ", "\n\n", ";ext=", "доб", "anexo", "int", "ext.", "😀", "𝔞", "\U000e0001"]
)
NEW_DIGIT = "\U0001ccf1"
"""A digit of Unicode 16: one for `regex`, and none for the `int()` of older Pythons."""
_FULLWIDTH = str.maketrans("0123456789+-.@", "０１２３４５６７８９＋－．＠")
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_NOISE = "0123456789" * 4 + " -./()+x:" * 3 + string.ascii_letters + "@_"


class Values:
    """A stream of values, the same for the same seed."""

    def __init__(self, seed: int, recognizers: Sequence[Any]) -> None:
        self._random = random.Random(seed)
        self._trees = list(_trees(recognizers))
        self._makers: list[Callable[[], str]] = [
            self._real,
            self._noise,
            self._matching,
            lambda: self._mutated(self._matching()),
            lambda: self._mutated(self._real()),
            lambda: self._mutated(self._mutated(self._real())),
            lambda: self._embedded(self._real()),
            lambda: self._embedded(self._matching()),
            lambda: self._mutated(self._embedded(self._real())),
            self._digits,
            self._other_digits,
        ]

    def some(self, count: int) -> list[str]:
        """That many values, none twice."""
        found: dict[str, None] = {}
        while len(found) < count:
            value = self._random.choice(self._makers)()
            if not any("\ud800" <= letter <= "\udfff" for letter in value):
                found[value] = None
        return list(found)

    def _real(self) -> str:
        value = self._random.choice(REAL)
        how = self._random.random()
        if how < 0.4:  # other digits: most check sums are wrong then
            value = "".join(self._digit() if c.isdigit() else c for c in value)
        if how < 0.1:
            value = value.swapcase()
        return value

    def _noise(self) -> str:
        return "".join(self._random.choices(_NOISE, k=self._random.randint(1, 40)))

    def _digits(self) -> str:
        most = self._random.choice([12, 18, 18, 45])  # to telephone numbers long ones are dear
        digits = "".join(self._digit() for _ in range(self._random.randint(1, most)))
        gap = self._random.choice(["", "", " ", "-", ".", "/", " - ", ") ", "  ", "x", ", ", "\n"])
        size = self._random.randint(1, 12)
        return gap.join(digits[at : at + size] for at in range(0, len(digits), size))

    def _other_digits(self) -> str:
        table = self._random.choice([_FULLWIDTH, _ARABIC])
        return self._real().translate(table)

    def _digit(self) -> str:
        return self._random.choice("0123456789")

    def _mutated(self, value: str) -> str:
        at = self._random.randint(0, len(value))
        match self._random.randint(0, 4):
            case 0:
                return value[:at] + self._random.choice(ODD) + value[at:]
            case 1:
                return value[:at] + value[at + 1 :]
            case 2:
                return value[:at] + self._random.choice(ODD) + value[at + 1 :]
            case 3:
                return value[:at] + self._random.choice(_NOISE) + value[at:]
            case _:
                return value[:at] + value[at:].upper()

    def _embedded(self, value: str) -> str:
        around = [*self._random.choices(WORDS, k=self._random.randint(0, 4)), value]
        if self._random.random() < 0.4:
            around.append(self._real())
        self._random.shuffle(around)
        return self._random.choice([" ", " ", "\n", ", ", "", ": ", "|"]).join(around)

    def _matching(self) -> str:
        return self._walk(self._random.choice(self._trees))

    def _walk(self, tree: Tree) -> str:
        match tree:
            case Characters(ascii, beyond):
                if beyond and (not ascii or self._random.random() < 0.02):
                    first, last = self._random.choice(beyond)
                    return chr(self._random.randint(first, last))
                return chr(self._random.choice(sorted(ascii))) if ascii else ""
            case Repeat(part, least, most):
                longest = least + 3 if most is None else min(most, least + 6)
                return "".join(
                    self._walk(part) for _ in range(self._random.randint(least, longest))
                )
            case Choice(parts):
                return self._walk(self._random.choice(parts))
            case Row(parts):
                return "".join(self._walk(part) for part in parts)
            case Same(group):
                return self._walk(group)
            case _:
                return ""


def _trees(recognizers: Sequence[Any]) -> Iterator[Tree]:
    for recognizer in recognizers:
        for pattern in getattr(recognizer, "patterns", ()):
            with suppress(NotUnderstoodError):
                yield Reader(regex, pattern.regex, int(recognizer.global_regex_flags)).read()
