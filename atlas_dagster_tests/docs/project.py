"""The project that commands of the documentation are run in: a clone with `faker` synced."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from atlas_dagster_tests.airbyte import connector
from atlas_dagster_tests.airbyte.scripted import Json, record, state, table
from atlas_dagster_tests.docs.shell import Shell
from atlas_dagster_tests.integration.project import REPOSITORY, day, noon

FILES = (
    ".env.example",
    "config",
    "dagster.yaml",
    "docs",
    "Makefile",
    "pyproject.toml",
    "qalita_pack",
    "workspace.yaml",
)

_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_INSTANT = {**_TEXT, "format": "date-time", "airbyte_type": "timestamp_with_timezone"}
_MAYBE = {**_INSTANT, "type": ["null", "string"]}
_TIMES = {"created_at": _INSTANT, "updated_at": _INSTANT}
_PLACE = (
    "street_number",
    "street_name",
    "city",
    "state",
    "province",
    "postal_code",
    "country_code",
)
_PERSON = ("name", "title", "email", "telephone", "gender", "language", "academic_degree")
_MORE = ("nationality", "occupation", "height", "blood_type")

# The fields of airbyte-source-faker 7.2.1.
USERS = table(
    "users",
    {
        "id": _WHOLE,
        **_TIMES,
        **dict.fromkeys((*_PERSON, *_MORE), _TEXT),
        "age": _WHOLE,
        "weight": _WHOLE,
        "address": {"type": "object", "properties": dict.fromkeys(_PLACE, _TEXT)},
    },
    cursor="updated_at",
)
PRODUCTS = table(
    "products",
    {
        "id": _WHOLE,
        "make": _TEXT,
        "model": _TEXT,
        "year": _WHOLE,
        "price": {"type": "number"},
        **_TIMES,
    },
    cursor="updated_at",
)
PURCHASES = table(
    "purchases",
    {
        "id": _WHOLE,
        "user_id": _WHOLE,
        "product_id": _WHOLE,
        **_TIMES,
        **dict.fromkeys(("added_to_cart_at", "purchased_at", "returned_at"), _MAYBE),
    },
    cursor="updated_at",
)

SPEC: Json = {
    "type": "object",
    "properties": {
        "count": {
            **_WHOLE,
            "description": "How many users should be generated in total. The purchases table will"
            " be scaled to match, with 10 purchases created per 10 users.",
        },
        "seed": {
            **_WHOLE,
            "description": "Manually control the faker random seed to return the same values on"
            " subsequent runs (leave -1 for random)",
        },
        "parallelism": _WHOLE,
        "records_per_slice": _WHOLE,
        "always_updated": {"type": "boolean"},
    },
}

USERS_SYNCED = 60
USERS_CHANGED = 20


def install_faker(root: Path) -> Path:
    """Put a scripted connector where `config/connections.yaml` has the real one installed.

    Returns its directory.
    """
    text = (REPOSITORY / "config" / "connections.yaml").read_text()
    package = re.search(r"airbyte-source-faker==[0-9.]+", text)
    assert package
    home = root / ".atlas" / "connectors" / package[0].replace("==", "-") / "bin"
    home.mkdir(parents=True)
    executable = home / "source-faker"
    executable.write_text(f"#!{sys.executable} -IS\n{Path(connector.__file__).read_text()}")
    executable.chmod(0o755)
    (home.parent / ".atlas-installed").touch()
    return home


def sync_twice(shell: Shell, home: Path) -> None:
    """Run the job `faker` for yesterday and for today; some users change in between."""
    for on, users in ((day(1), USERS_SYNCED), (day(), USERS_CHANGED)):
        scenario = {
            "spec": SPEC,
            "check": {"status": "SUCCEEDED"},
            "catalog": {"streams": [PRODUCTS, USERS, PURCHASES]},
            "steps": [*_records(on, users), *_states()],
        }
        (home / "scenario.json").write_text(json.dumps(scenario))
        tags = json.dumps({"dagster/partition": on})
        done = shell.run(
            f"dagster job execute -m atlas_dagster.definitions -j faker --tags '{tags}'"
        )
        assert done.returncode == 0, done.stdout


def _records(on: str, users: int) -> Iterator[Json]:
    """Records that were extracted at noon of a day; those of another day differ."""
    at, times = noon(on), {"created_at": "2026-01-01T00:00:00Z", "updated_at": f"{on}T11:00:00Z"}
    for n in range(1, users + 1):
        yield record("users", {**_user(n, on), **times}, at=at)
        purchase = {
            "id": n,
            "user_id": n,
            "product_id": n % 10 + 1,
            "purchased_at": f"{on}T10:00:00Z",
        }
        yield record("purchases", {**purchase, **times}, at=at)
    for n in range(1, 11):
        product = {"id": n, "make": "Audi", "model": f"A{n}", "year": 2000 + n, "price": 100.5 * n}
        yield record("products", {**product, **times}, at=at)


def _user(n: int, on: str) -> Json:
    return {
        "id": n,
        **{field: f"some {field}" for field in (*_PERSON, *_MORE)},
        "name": f"Ann {n} of {on}",
        "email": f"ann{n}@example.com",
        "telephone": f"+1-202-456-{1000 + n}",
        "age": 20 + n,
        "weight": 50 + n,
        "address": {field: f"some {field}" for field in _PLACE},
    }


def _states() -> list[Json]:
    return [state(name, {"updated_at": day()}) for name in ("users", "products", "purchases")]
