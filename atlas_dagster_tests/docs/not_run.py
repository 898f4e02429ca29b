"""Commands of the documentation that `test_shell` does not run, and why: the whole list."""

from __future__ import annotations

_DOCKER = (
    "needs a Docker engine; atlas_dagster_tests/deploy runs the services, and reads the command"
)
_CLUSTER = "needs a registry or a cluster; atlas_dagster_tests/deploy reads the files"
_CHECKED = "is a part of make test"

NOT_RUN = {
    "make demo": "installs a connector from PyPI; its runs are those of the demo's tests",
    "make dev": "goes on until it is stopped; the daemon is run by the integration tests",
    "make stop": "would make .venv first; `atlas postgres stop` is all that it does",
    "make test": "is this",
    "make lint": _CHECKED,
    "make types": _CHECKED,
    "(umask 077; for name in POSTGRES_PASSWORD ATLAS_WEBHOOK_TOKEN;"
    ' do echo "$name=$(openssl rand -hex 24)"; done >> .env)': (
        "atlas_dagster_tests/deploy/test_documentation.py runs it"
    ),
    "docker compose build": _DOCKER,
    "docker compose up --detach": _DOCKER,
    "docker compose restart code": _DOCKER,
    "docker compose exec code atlas state show faker": _DOCKER,
    "docker compose exec code atlas qalita deliveries": _DOCKER,
    "docker compose --profile viewer up --detach": _DOCKER,
    "docker compose -f docker-compose.yml -f deploy/compose/own-postgres.yaml up --detach": _DOCKER,
    "docker compose --profile sandbox up --detach": _DOCKER,
    "docker compose logs qalita-sandbox": _DOCKER,
    "docker compose exec -T postgres pg_dump -U atlas -Fc atlas > atlas.dump": _DOCKER,
    "docker compose build --pull": _DOCKER,
    "docker compose stop daemon": _DOCKER,
    "docker compose -f docker-compose.yml -f deploy/docker/compose.yaml"
    " up --detach --build": _DOCKER,
    "docker build --build-arg LAUNCHER=k8s"
    " --tag registry.example.com/atlas-dagster:0.1.0 .": _DOCKER,
    "helm repo add dagster https://dagster-io.github.io/helm": _CLUSTER,
    "helm upgrade --install atlas dagster/dagster --version 1.13.27"
    " -f deploy/kubernetes/values.yaml": _CLUSTER,
    "python -m json.tool --json-lines .atlas/openlineage.jsonl": (
        "shows what the demo writes; atlas_dagster_tests/lineage/test_guide.py runs it"
    ),
    "createdb atlas": "atlas_dagster_tests/test_backup.py makes a database to restore into",
    "pg_restore --exit-on-error --no-owner --no-privileges"
    " --dbname=postgresql://…/atlas atlas.dump": (
        "names no server; atlas_dagster_tests/test_backup.py restores by it"
    ),
    "atlas roles create --writer etl --reader analyst": (
        "needs two logins; atlas_dagster_tests/roles makes some, and lets them in"
    ),
    "pip-audit -r requirements.lock --no-deps --disable-pip": "asks an index in the network",
    "qalita worker login": "is QALITA's own program, and asks for a password",
    "qalita pack push -n qalita": "needs a QALITA platform",
}
