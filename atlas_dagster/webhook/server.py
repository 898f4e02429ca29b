"""The process that listens: uvicorn, its log lines ours, since its own name paths and the token."""

from __future__ import annotations

import resource
import socket

from atlas_dagster import http_server
from atlas_dagster.logs import configure_logging
from atlas_dagster.settings import WebhookSettings
from atlas_dagster.webhook.app import build_app
from atlas_dagster.webhook.store import Store

MOST_CONNECTIONS = http_server.BACKLOG
SPARE_FILES = 64


def listen(settings: WebhookSettings) -> socket.socket:
    """Listen where the settings say; raises ConfigError naming both where that is not possible."""
    told = "--host, --port (ATLAS_WEBHOOK_HOST, ATLAS_WEBHOOK_PORT)"
    return http_server.listen(settings.host, settings.port, told)


def serve(settings: WebhookSettings, url: str, listener: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT; what was accepted is committed then."""
    configure_logging()
    http_server.serve(build_app(settings, Store(url)), listener, _most_connections())


def _most_connections() -> int:
    """How many connections the limit of open files leaves, which is raised as far as needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST_CONNECTIONS, soft - SPARE_FILES)
