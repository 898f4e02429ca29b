"""Certificates: what is not trusted is not spoken to."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from atlas_dagster.errors import QalitaUnavailableError
from atlas_dagster.http_retries import Retries
from atlas_dagster_tests.qalita.support import open_api
from atlas_dagster_tests.qalita_server.double import QalitaDouble

MAKE = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)


@pytest.fixture
def certificate(qalita_server: QalitaDouble, tmp_path: Path) -> Path:
    """The certificate of a platform that speaks TLS."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [*MAKE, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = qalita_server._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return certificate


@pytest.mark.parametrize(
    ("trusts", "is_spoken_to"), [("nobody", False), ("the bundle", True), ("everybody", True)]
)
def test_a_certificate_must_be_known_unless_verification_is_off(
    qalita_server: QalitaDouble, certificate: Path, trusts: str, *, is_spoken_to: bool
) -> None:
    changes: dict[str, Any] = {"base_url": qalita_server.url.replace("http:", "https:")}
    changes |= {"the bundle": {"ca_bundle": certificate}, "everybody": {"verifies": False}}.get(
        trusts, {}
    )
    api = open_api(qalita_server, Retries(most=1), **changes)
    if is_spoken_to:
        assert api.version() == "3.2.1"
    else:
        with pytest.raises(QalitaUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            api.version()
