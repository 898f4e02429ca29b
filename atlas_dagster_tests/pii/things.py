"""Values of things: keys, numbers, times, what is sold, texts, addresses of machines."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta, timezone
from random import Random

from atlas_dagster_tests.pii.generators import LETTERS, PLAIN, Maker, digits, email, username
from atlas_dagster_tests.pii.vocabulary import COMPANIES, PRODUCTS, SENTENCES

# Machines and keys


def ipv4(r: Random, lang: str) -> str:
    return f"{r.randint(11, 223)}.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def ipv6(r: Random, lang: str) -> str:
    return "2001:db8:" + ":".join(f"{r.randint(1, 65535):x}" for _ in range(6))


def private_ip(r: Random, lang: str) -> str:
    return f"10.{r.randint(0, 3)}.{r.randint(0, 255)}.{r.randint(1, 254)}"


def mac(r: Random, lang: str) -> str:
    return ":".join(f"{r.randint(0, 255):02x}" for _ in range(6))


def uuid4(r: Random, lang: str) -> str:
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def sha256(r: Random, lang: str) -> str:
    return hashlib.sha256(r.randbytes(8)).hexdigest()


def md5(r: Random, lang: str) -> str:
    return hashlib.md5(r.randbytes(8)).hexdigest()


def git_sha(r: Random, lang: str) -> str:
    return hashlib.sha1(r.randbytes(8)).hexdigest()


def integer(low: int, high: int) -> Maker:
    return lambda r, lang: str(r.randint(low, high))


def number(count: int) -> Maker:
    """Digits, the first of them none that is zero."""
    return lambda r, lang: str(r.randint(1, 9)) + digits(r, count - 1)


def coded(prefix: str, count: int) -> Maker:
    return lambda r, lang: prefix + digits(r, count)


def sku(r: Random, lang: str) -> str:
    return f"{''.join(r.choices(LETTERS, k=3))}-{digits(r, 4)}-{r.choice(['S', 'M', 'L', 'XL'])}"


def ean13(r: Random, lang: str) -> str:
    stem = r.choice(["40", "57", "84", "30", "50"]) + digits(r, 10)
    return stem + str(-sum(int(d) * (3 if at % 2 else 1) for at, d in enumerate(stem)) % 10)


def version(r: Random, lang: str) -> str:
    return f"{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 60)}"


def build(r: Random, lang: str) -> str:
    return f"{r.randint(1, 12)}.{r.randint(0, 9)}.{r.randint(0, 99)}.{r.randint(0, 250)}"


def timestamp(r: Random, lang: str) -> str:
    moment = _moment(r)
    return r.choice([f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%dT%H:%M:%S}.{digits(r, 3)}Z"])


def day(r: Random, lang: str) -> str:
    return f"{_moment(r):%Y-%m-%d}"


def local_time(r: Random, lang: str) -> str:
    return f"{_moment(r):%d.%m.%Y %H:%M}"


def epoch(r: Random, lang: str) -> str:
    return str(int(_moment(r).timestamp()))


def epoch_ms(r: Random, lang: str) -> str:
    return epoch(r, lang) + digits(r, 3)


def _moment(r: Random) -> datetime:
    return datetime(2019, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=r.randint(0, 200_000_000))


def price(r: Random, lang: str) -> str:
    amount = f"{r.randint(1, 9999)}.{digits(r, 2)}"
    return amount if lang == "en" else amount.replace(".", ",")


def size(r: Random, lang: str) -> str:
    return f"{r.randint(5, 240)} x {r.randint(5, 240)} x {r.randint(5, 240)} cm"


def coordinate(r: Random, lang: str) -> str:
    return f"{r.uniform(36, 57):.6f}"


def coordinates(r: Random, lang: str) -> str:
    return f"{r.uniform(-90, 90):.6f},{r.uniform(-180, 180):.6f}"


def fraction(r: Random, lang: str) -> str:
    return f"{r.uniform(-1e6, 1e6):.4f}"


def share(r: Random, lang: str) -> str:
    return f"{r.random():.10f}"


def reading(r: Random, lang: str) -> str:
    """Of an instrument: digits enough for a telephone number, as people write numbers there."""
    value = f"{r.uniform(1_000, 9_999):.6f}"
    return value if lang == "en" else value.replace(".", ",")


# Texts


def company(r: Random, lang: str) -> str:
    return r.choice(COMPANIES[lang])


def product(r: Random, lang: str) -> str:
    return f"{r.choice(PRODUCTS[lang])} {r.randint(1, 900)}"


def slug(r: Random, lang: str) -> str:
    return product(r, lang).lower().translate(PLAIN).replace(" ", "-")


def file_name(r: Random, lang: str) -> str:
    return f"{slug(r, lang)}.{r.choice(['pdf', 'csv', 'jpg'])}"


def sentence(r: Random, lang: str) -> str:
    return " ".join(r.sample(SENTENCES[lang], 2))


def text_with(maker: Maker) -> Maker:
    """A sentence, one of these, and another sentence."""

    def make(r: Random, lang: str) -> str:
        before, after = r.sample(SENTENCES[lang], 2)
        return f"{before.rstrip('.')} {maker(r, lang)}. {after}"

    return make


def url(r: Random, lang: str) -> str:
    return f"https://www.example.com/{slug(r, lang)}?ref={digits(r, 6)}"


def url_with_email(r: Random, lang: str) -> str:
    return f"https://www.example.com/login?next=/cart&email={email(r, lang)}&t={digits(r, 4)}"


def profile_url(r: Random, lang: str) -> str:
    return f"https://www.linkedin.com/in/{username(r, lang)}"


def user_agent(r: Random, lang: str) -> str:
    engine = f"Chrome/{r.randint(90, 140)}.0.{r.randint(0, 9)}.{r.randint(0, 199)}"
    return f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {engine} Safari/537.36"


def access_log(r: Random, lang: str) -> str:
    page = f"GET /{slug(r, lang)} HTTP/1.1"
    return f'{ipv4(r, lang)} - - [{_moment(r):%d/%b/%Y:%H:%M:%S +0000}] "{page}" 200 {digits(r, 4)}'


def masked_email(r: Random, lang: str) -> str:
    return f"{email(r, lang)[0]}***@***"


def masked_card(r: Random, lang: str) -> str:
    return f"**** **** **** {digits(r, 4)}"


def git_url(r: Random, lang: str) -> str:
    return f"git@github.com:acme/{slug(r, lang)}.git"


def message_id(r: Random, lang: str) -> str:
    return f"<{uuid4(r, lang)}@mail.example.com>"
