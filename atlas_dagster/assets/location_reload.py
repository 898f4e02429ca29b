"""Asking Dagster's webserver to load a code location anew, from inside of that code location.

`reloadRepositoryLocation` is what its button does: the webserver has the code server start a
process that imports the definitions again, and the daemon sees that it is another one. It works
under `dagster dev` and with `dagster code-server start`; `dagster api grpc` cannot reload.
"""

from __future__ import annotations

import threading

import msgspec

RELOAD_SECONDS = 300.0
LONGEST_REASON = 300  # characters

MUTATION = """
mutation ($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on Error { message }
    ... on WorkspaceLocationEntry {
      locationOrLoadError { __typename ... on PythonError { message } }
    }
  }
}
"""


class _Outcome(msgspec.Struct, frozen=True):
    typename: str = msgspec.field(name="__typename")
    message: str = ""
    location: _Outcome | None = msgspec.field(name="locationOrLoadError", default=None)


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    reload_repository_location: _Outcome


class _Answer(msgspec.Struct, frozen=True):
    data: _Data


class Reloader:
    """Asks in the background: when the answer comes, the process that asked is on its way out.

    ``failure`` says why the last time led to nothing.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self.failure: str | None = None

    @property
    def can_ask(self) -> bool:
        return self._url is not None

    def ask(self, location: str) -> threading.Thread:
        """Have a code location loaded anew; nobody needs to wait for the thread."""
        thread = threading.Thread(target=self._ask, args=(location,), name="reload", daemon=True)
        thread.start()
        return thread

    def _ask(self, location: str) -> None:
        import httpx

        body = {"query": MUTATION, "variables": {"location": location}}
        try:
            response = httpx.post(f"{self._url}/graphql", json=body, timeout=RELOAD_SECONDS)
            response.raise_for_status()
            outcome = msgspec.json.decode(response.content, type=_Answer)
            reason = _reason(outcome.data.reload_repository_location)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            reason = str(error) or type(error).__name__
        self.failure = (
            f"{self._url} did not reload {location}: {' '.join(reason.split())[:LONGEST_REASON]}"
            if reason
            else None
        )


def _reason(outcome: _Outcome) -> str | None:
    """Why a code location is not loaded anew; None where it is."""
    if outcome.typename != "WorkspaceLocationEntry":
        return outcome.message or outcome.typename
    loaded = outcome.location
    if loaded is None or loaded.typename == "RepositoryLocation":
        return None
    return loaded.message or loaded.typename
