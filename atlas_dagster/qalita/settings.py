"""The environment of QALITA: our names, and those that its own clients and the adapter read.

The CLI reads URL and TOKEN too; such general names count only beside one that means QALITA.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import pair, positive_number, switch

URL_NAMES = (
    "QALITA_BASE_URL",
    "QALITA_WORKER_ENDPOINT",
    "QALITA_AGENT_ENDPOINT",
    "AGENT_ENDPOINT",
    "QALITA_URL",
    "QALITA_API_URL",
)
_TOKENS = ("QALITA_API_TOKEN", "QALITA_WORKER_TOKEN", "QALITA_AGENT_TOKEN", "QALITA_TOKEN")
_USER, _PASSWORD = "QALITA_USERNAME", "QALITA_PASSWORD"
CREDENTIAL_NAMES = (_TOKENS[0], _USER, _PASSWORD)
"""Our own names of the token, and of the user and password of a sign-in."""

_GENERAL_URL, _GENERAL_TOKEN = "URL", "TOKEN"
_API = re.compile(r"(/+api(/v\d+)?)?/*\Z")
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True)
class QalitaServer:
    """A QALITA platform, and who publishes to it.

    ``token`` is used where there is one, else ``user`` and ``password``; ``credentials`` names the
    variables that they come from. ``ca_bundle`` is a file or a directory of certificates.
    ``settle_seconds`` is how long the platform may go on with a request that nobody waits for: its
    own limit is 120. ``provisions``: a source that no mapping names is looked up by its name, and
    published where it is not there.
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    credentials: str = _TOKENS[0]
    url_name: str = URL_NAMES[0]
    verifies: bool = True
    ca_bundle: Path | None = None
    request_seconds: float = 30.0
    upload_seconds: float = 120.0
    settle_seconds: float = 150.0
    provisions: bool = False


def load_qalita_server(environ: Mapping[str, str] | None = None) -> QalitaServer | None:
    """The platform that the environment names (``os.environ`` unless given); None: it names none.

    Raises ConfigError naming the variable that is wrong, never what it holds where it is secret.
    """
    env = os.environ if environ is None else environ
    token_name = _first(env, _TOKENS)
    user = None if token_name else pair(env, _USER, _PASSWORD)
    url_name = _first(env, URL_NAMES)
    if url_name is None and (token_name or user) and env.get(_GENERAL_URL):
        url_name = _GENERAL_URL
    if url_name is None:
        return None
    if not token_name and not user:
        token_name = _first(env, (_GENERAL_TOKEN,))
    if not token_name and not user:
        raise ConfigError(
            f"{_TOKENS[0]}: not set, nor are {_USER} and {_PASSWORD}, and {url_name} is"
        )
    name, password = user or (None, None)
    return QalitaServer(
        base_url=_base_url(url_name, env[url_name]),
        token=_token(token_name, env[token_name]) if token_name else None,
        user=name,
        password=password,
        credentials=token_name or f"{_USER} and {_PASSWORD}",
        url_name=url_name,
        verifies=not _skips_verification(env),
        ca_bundle=_ca_bundle(env, "QALITA_CA_BUNDLE"),
        request_seconds=positive_number(env, "ATLAS_QALITA_REQUEST_SECONDS", 30.0),
        upload_seconds=positive_number(env, "ATLAS_QALITA_UPLOAD_SECONDS", 120.0),
        settle_seconds=positive_number(env, "ATLAS_QALITA_SETTLE_SECONDS", 150.0),
        provisions=switch(env, "ATLAS_QALITA_PROVISION", default=False),
    )


def _first(env: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if env.get(name)), None)


def _base_url(name: str, value: str) -> str:
    """The root of the platform; clients have asked for URLs with and without /api/v1."""
    url = value.strip()
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises where it is no number
    except ValueError:
        is_url, parts = False, urlsplit("")
    if not is_url:
        raise ConfigError(f"{name}: expected a URL that starts with http:// or https://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(f"{name}: expected a URL without user, password, ? and #")
    return _API.sub("", url)


def _token(name: str, value: str) -> str:
    """A token as a header can hold it."""
    token = value.strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(f"{name}: expected a token of plain characters, without blanks")
    return token


def _skips_verification(env: Mapping[str, str]) -> bool:
    """As QALITA's own client reads it, except that what is neither yes nor no is refused."""
    value = env.get("SKIP_SSL_VERIFY", "").strip().lower()
    if value and value not in (*_YES, *_NO):
        raise ConfigError(f"SKIP_SSL_VERIFY: expected true or false, found {value!r}")
    return value in _YES


def _ca_bundle(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.exists():
        raise ConfigError(f"{name}: there is no file or directory {path}")
    return path
