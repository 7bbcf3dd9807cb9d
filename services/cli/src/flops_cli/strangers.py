"""Recognises servers that answer at an address where another was expected."""

from typing import Final

import requests

from flops_cli.http import session_for

PROBE_SECONDS: Final = 5.0
ROOT: Final = "an Oakestra root orchestrator"
MANAGER: Final = "a FLOps manager"
TRACKING: Final = "an MLflow tracking server"


def who_answers(url: str) -> str:
    """Return what listens at ``url``, as far as its answers tell."""
    with session_for(url) as session:
        if _status(session, f"{url}/api/flops/nodes") in {401, 200}:
            return MANAGER
        # Both paths exist for other methods only.
        if _status(session, f"{url}/api/auth/login") == 405:
            return ROOT
        if _status(session, f"{url}/api/2.0/mlflow/experiments/search") in {405, 400, 200}:
            return TRACKING
        response = _get(session, url)
    server = response.headers.get("Server", "") if response is not None else ""
    return f"another program ({server})" if server else "another program"


def _status(session: requests.Session, url: str) -> int:
    response = _get(session, url)
    return response.status_code if response is not None else 0


def _get(session: requests.Session, url: str) -> requests.Response | None:
    try:
        # Without redirects: a manager's pages, for example, lead to their own login.
        return session.get(url, timeout=PROBE_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return None
