"""Tables that a scan for personal data is measured on, as records of explore."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from psycopg import sql

from atlas_dagster.catalog import DestinationMode, Stream, SyncMode, Table
from atlas_dagster.warehouse import PgConnection

Record = dict[str, Any]

_SYLLABLES = """
    an be cor da el fi gar ho in jo ka lu mar ne or pe ri sa to ul va wen
""".split()  # noqa: SIM905
_WORDS = """
    the order was late and our team will send a new box to your office next week
""".split()  # noqa: SIM905
_LANGUAGES = ["English", "Portuguese", "Japanese", "Swahili", "Danish", "German", "Hindi"]
_PHONES = ("+1-({a})-{b}-{c}", "1-{a}-{b}-{c}", "({a}) {b}-{c}", "{a}.{b}.{c}", "{a}-{b}-{c}")


class Maker:
    """Makes the same records again for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def records(self, kind: str, rows: int) -> Iterator[Record]:
        make: Callable[[int], Record] = getattr(self, kind)
        return (make(number) for number in range(1, rows + 1))

    def users(self, number: int) -> Record:
        """As source-faker has them, in 23 fields."""
        return {
            "id": number,
            "created_at": self._timestamp(),
            "updated_at": self._timestamp(),
            "name": f"{self._name()} {self._name()}",
            "title": self._one_of(["Mr.", "Mrs.", "Miss", "Dr.", "M.A.", "Sir"]),
            "age": self._random.randint(18, 65),
            "email": f"{self._name().lower()}{self._digits(4)}+{number}@example.com",
            "telephone": self._phone(),
            "gender": self._one_of(["Male", "Female", "Other"]),
            "language": self._one_of(_LANGUAGES),
            "academic_degree": self._one_of(["PhD", "Master", "Bachelor"]),
            "nationality": self._one_of(_LANGUAGES),
            "occupation": f"{self._one_of(_SYLLABLES).title()} {self._one_of(_WORDS)} engineer",
            "height": f"{self._random.randint(150, 199) / 100:.2f}",
            "blood_type": self._one_of(["A+", "B-", "0+", "AB+"]),
            "weight": self._random.randint(40, 90),
            "address": {
                "city": self._name(),
                "country_code": self._one_of(["US", "DK", "DE", "FR"]),
                "postal_code": self._digits(5),
                "province": self._name(),
                "state": self._name(),
                "street_name": f"{self._name()} Street",
                "street_number": str(self._random.randint(1, 1500)),
            },
        }

    def mixed(self, number: int) -> Record:
        """Orders of a shop, twelve text columns: 20,000 customers, 5,000 products."""
        customer, product = self._random.randrange(20_000), self._random.randrange(5_000)
        return {
            "order_number": f"ORD-{1_000_000 + number}",
            "customer_id": self._uuid(customer),
            "status": self._one_of(["open", "paid", "sent", "returned"]),
            "sku": f"{_SYLLABLES[product % 22].upper()}-{product:04d}",
            "product_name": f"{_SYLLABLES[product % 22].title()} {_WORDS[product % 16]} {product}",
            "price": f"{product % 700}.{product % 100:02d}",
            "currency": self._one_of(["EUR", "USD", "DKK"]),
            "ordered_at": self._timestamp(),
            "client_ip": ".".join(str(customer * prime % 254) for prime in (7, 13, 101, 241)),
            "referrer": f"https://www.{self._one_of(_SYLLABLES)}shop.com/{self._one_of(_WORDS)}",
            "comment": self._comment(),
            "version": f"v{number % 9}.{number % 31}.{self._random.randint(0, 9)}",
        }

    def hard(self, number: int) -> Record:
        """Fourteen columns of which every value is one that Presidio may find something in."""
        return {
            "email": f"user{number}@mail{number % 999}.example.org",
            "phone": self._phone(),
            "german_phone": f"0{self._random.randint(30, 99)}{self._digits(1)} {self._digits(6)}",
            "card": "4" + self._digits(15),
            "ssn": f"{self._digits(3)}-{self._digits(2)}-{self._digits(4)}",
            "iban": f"DE{self._digits(20)}",
            "ip": ".".join(str(self._random.randint(1, 254)) for _ in range(4)),
            "uuid": self._uuid(number),
            "number": self._digits(10),
            "epoch": str(1_700_000_000_000 + self._random.randint(0, 9_999_999_999)),
            "moment": self._timestamp(),
            "licence": f"{self._random.choice('ABCDEFGH')}{self._digits(8)}",
            "url": f"https://www.example.com/item/{self._digits(6)}",
            "text": f"Call +49 30 {self._digits(7)} or write to me{number}@example.org",
        }

    def words(self, number: int) -> Record:  # noqa: ARG002
        """Twelve columns of text without anything that Presidio could find."""
        return {f"column_{letter}": self._sentence() for letter in "abcdefghijkl"}

    def _one_of(self, several: Sequence[str]) -> str:
        return self._random.choice(several)

    def _name(self) -> str:
        return "".join(self._random.choices(_SYLLABLES, k=3)).title()

    def _sentence(self) -> str:
        return (
            f"{self._name()} {' '.join(self._random.choices(_WORDS, k=self._random.randint(2, 5)))}"
        )

    def _comment(self) -> str:
        sentence = " ".join(self._random.choices(_WORDS, k=self._random.randint(4, 20)))
        if self._random.random() < 0.1:
            sentence += f", call {self._phone()} or write to {self._name().lower()}@example.com"
        return sentence

    def _digits(self, count: int) -> str:
        return str(self._random.randint(0, 10**count - 1)).zfill(count)

    def _phone(self) -> str:
        return self._random.choice(_PHONES).format(
            a=self._digits(3), b=self._digits(3), c=self._digits(4)
        )

    def _timestamp(self) -> str:
        digits = self._random
        return (
            f"{digits.randint(2001, 2024)}-{digits.randint(1, 12):02d}-{digits.randint(1, 28):02d}"
            f"T{digits.randint(0, 23):02d}:{digits.randint(0, 59):02d}:{digits.randint(0, 59):02d}"
            "+00:00"
        )

    def _uuid(self, number: int) -> str:
        bits = f"{random.Random(number).getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"


def stream_of(kind: str) -> Stream:
    """A stream whose explore table is named after the kind of its records."""
    return Stream(
        connection_id="00000000-0000-4000-8000-000000000001",
        connection="bench",
        name=kind,
        namespace=None,
        slug=kind,
        landing=Table("landing", f"bench__{kind}"),
        sync_mode=SyncMode.FULL_REFRESH,
        destination_mode=DestinationMode.APPEND,
        cursor=(),
        primary_key=(),
        columns=(),
    )


def fill(connection: PgConnection, stream: Stream, records: Iterator[Record]) -> None:
    """An explore table with these records, in one partition."""
    table = sql.Identifier("explore", stream.table_name)
    connection.execute("create schema if not exists explore")
    connection.execute(
        sql.SQL(
            "create table {} (data jsonb not null,"
            " _atlas_partition date not null default date '2026-01-01')"
        ).format(table)
    )
    with connection.cursor().copy(sql.SQL("copy {} (data) from stdin").format(table)) as copy:
        for record in records:
            copy.write_row([json.dumps(record)])
    connection.execute(sql.SQL("vacuum analyze {}").format(table))
