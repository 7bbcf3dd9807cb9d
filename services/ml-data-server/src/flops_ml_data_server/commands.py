"""The operator's commands in the image; they call the server's HTTP pages.

``docker exec <container> python -m flops_ml_data_server stats``
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from flops_contracts.exit_codes import ExitCode
from flops_ml_data_server.settings import Settings

TIMEOUT_SECONDS: Final = 30
ANYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound to


def command(arguments: Sequence[str], settings: Settings) -> ExitCode:
    """Carry out a command; print JSON, or the reason of a failure on stderr."""
    options = _parser().parse_args(arguments)
    method, path, body = _call(options)
    bound = settings.process.bind_address
    host = "127.0.0.1" if bound in ANYWHERE else bound
    headers = {"Authorization": f"Bearer {settings.doorkeeper.token}"}
    request = Request(
        f"http://{host}:{settings.process.status_port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers=headers if settings.doorkeeper.token else {},
    )
    try:
        # A proxy from the environment must not get between the operator and the server.
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_SECONDS) as response:
            _print(response.read().decode())
    except HTTPError as error:
        sys.stderr.write(f"{_reason(error)}\n")
        return ExitCode.DATA_REJECTED
    except (URLError, OSError) as error:
        sys.stderr.write(f"no data server answers at {host}: {error}\n")
        return ExitCode.DATA_SERVER_UNREACHABLE
    return ExitCode.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flops_ml_data_server", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, path, summary in (
        ("stats", "/api/stats", "tags with rows, bytes, columns and rules"),
        ("health", "/healthz", "liveness of the server"),
        ("metrics", "/metrics", "Prometheus metrics"),
    ):
        commands.add_parser(name, help=summary).set_defaults(path=path)
    listing = commands.add_parser("list", help="fragments")
    listing.add_argument("tag", nargs="?")
    audit = commands.add_parser("audit", help="log of uploads, reads and drops, newest first")
    audit.add_argument("tag", nargs="?", default="")
    audit.add_argument("--limit", type=int, default=100)
    drop = commands.add_parser("drop", help="remove a fragment, or with --tag a whole tag")
    drop.add_argument("name")
    drop.add_argument("--tag", action="store_true")
    rules = commands.add_parser("rules", help="show the rules of a tag, or replace all of them")
    rules.add_argument("tag")
    rules.add_argument("--set", action="store_true", help="replace all rules, or remove them")
    rules.add_argument("--owner", default="")
    rules.add_argument("--customer", action="append", default=[])
    rules.add_argument("--project", action="append", default=[])
    rules.add_argument("--quota-mb", type=int, default=0)
    rules.add_argument("--retention-days", type=float, default=0)
    return parser


def _call(options: argparse.Namespace) -> tuple[str, str, dict[str, Any] | None]:
    """Return method, path and body of a command's request."""
    match options.command:
        case "list":
            query = f"?{urlencode({'tag': options.tag})}" if options.tag else ""
            return "GET", f"/api/fragments{query}", None
        case "audit":
            query = urlencode({"tag": options.tag, "limit": options.limit})
            return "GET", f"/api/audit?{query}", None
        case "drop":
            kind = "tags" if options.tag else "fragments"
            return "DELETE", f"/api/{kind}/{quote(options.name, safe='')}", None
        case "rules":
            path = f"/api/tags/{quote(options.tag, safe='')}/rules"
            return ("PUT", path, _rules(options)) if options.set else ("GET", path, None)
        case _:
            return "GET", options.path, None


def _rules(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "owner": options.owner,
        "customers": options.customer,
        "projects": options.project,
        "quota_mb": options.quota_mb,
        "retention_days": options.retention_days,
    }


def _print(text: str) -> None:
    with suppress(ValueError):  # metrics are plain text
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text.rstrip("\n") + "\n")


def _reason(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (KeyError, TypeError, ValueError):
        return str(error)
