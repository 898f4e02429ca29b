"""QALITA as a Dagster resource."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from atlas_dagster.errors import ConfigError
from atlas_dagster.qalita.settings import (
    CREDENTIAL_NAMES,
    URL_NAMES,
    QalitaServer,
    load_qalita_server,
)

if TYPE_CHECKING:
    from atlas_dagster.qalita.client import QalitaApi


class QalitaResource(dg.ConfigurableResource["QalitaApi"]):
    """A QALITA platform, the one that the environment names unless ``base_url`` is given.

    With ``base_url`` a ``token``, or ``user`` and ``password``, are its credentials. The other
    fields take the place of what the environment says, where they are given.
    """

    base_url: str | None = None
    token: str | None = None
    user: str | None = None
    password: str | None = None
    verify: bool | None = None
    ca_bundle: str | None = None
    request_seconds: float | None = None
    upload_seconds: float | None = None

    def server(self) -> QalitaServer:
        """The platform; raises ConfigError naming what is not set, or wrong."""
        server = load_qalita_server(self._environment())
        if server is None:
            raise ConfigError(
                f"QALITA is not set up: {URL_NAMES[0]} names its URL, see .env.example"
            )
        given: dict[str, Any] = {
            "verifies": self.verify,
            "ca_bundle": Path(self.ca_bundle) if self.ca_bundle else None,
            "request_seconds": self.request_seconds,
            "upload_seconds": self.upload_seconds,
        }
        return replace(
            server, **{name: value for name, value in given.items() if value is not None}
        )

    @contextmanager
    def connect(self) -> Generator[QalitaApi]:
        """A client with one pool of connections, closed at the end of the block."""
        from atlas_dagster.qalita.client import QalitaApi
        from atlas_dagster.qalita.http import QalitaHttp

        http = QalitaHttp(self.server())
        try:
            yield QalitaApi(http)
        finally:
            http.close()

    def _environment(self) -> dict[str, str] | None:
        """What `load_qalita_server` reads: the fields, where the platform is given by them."""
        if self.base_url is None:
            return None
        url, (token, user, password) = URL_NAMES[0], CREDENTIAL_NAMES
        fields = {url: self.base_url, token: self.token, user: self.user, password: self.password}
        return {name: value for name, value in fields.items() if value}
