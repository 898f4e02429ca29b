# One image for all services of docker-compose.yml, and for the runs that Docker and Kubernetes start.

FROM python:3.11.15-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/atlas
WORKDIR /src

COPY requirements.lock ./
RUN /opt/atlas/bin/python -m pip install --quiet --no-compile --only-binary :all: -r requirements.lock
# Runs in containers of their own need a launcher: docker or k8s. Empty: runs in the code location.
ARG LAUNCHER=""
COPY requirements-dev.lock ./
RUN if [ -n "$LAUNCHER" ]; then \
        /opt/atlas/bin/python -m pip install --quiet --no-compile -c requirements-dev.lock \
            "dagster-$LAUNCHER"; \
    fi

COPY pyproject.toml README.md LICENSE ./
COPY atlas_dagster atlas_dagster
RUN /opt/atlas/bin/python -m pip install --quiet --no-compile --no-deps --no-build-isolation .
# Without bytecode every start of a process would cost twice the CPU. Some packages carry files that
# do not compile; importing them would say so.
RUN /opt/atlas/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/atlas/lib \
    || true


FROM python:3.11.15-slim-bookworm

RUN groupadd --gid 10001 atlas \
    && useradd --uid 10001 --gid atlas --home-dir /data --no-create-home --shell /usr/sbin/nologin atlas \
    && install --directory --owner atlas --group atlas --mode 0700 /data

COPY --from=build /opt/atlas /opt/atlas
WORKDIR /app
COPY dagster.yaml ./
COPY deploy/compose/workspace.yaml ./
COPY config config

ENV PATH=/opt/atlas/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    DAGSTER_HOME=/app \
    ATLAS_PROJECT_DIR=/app \
    ATLAS_CONFIG_DIR=/app/config \
    ATLAS_DATA_DIR=/data

USER 10001:10001
CMD ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", "4000", "-m", "atlas_dagster.definitions"]
