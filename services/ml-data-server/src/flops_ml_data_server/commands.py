"""The commands inside the image, for the operator: they ask the server's own HTTP pages.

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
ANYWHERE: Final = ("0.0.0.0", "::", "")  # noqa: S104 - what is bound to, not what binds


def command(arguments: Sequence[str], settings: Settings) -> ExitCode:
    """Carry out a command; prints JSON, and says on stderr why not."""
    asked = _parser().parse_args(arguments)
    method, path, body = _call(asked)
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
        # No proxy of the surroundings may get between the operator and the server.
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_SECONDS) as answer:
            _print(answer.read().decode())
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
    for name, path, does in (
        ("stats", "/api/stats", "tags with rows, bytes, columns and rules"),
        ("health", "/healthz", "whether it works"),
        ("metrics", "/metrics", "what Prometheus reads"),
    ):
        commands.add_parser(name, help=does).set_defaults(path=path)
    listing = commands.add_parser("list", help="fragments")
    listing.add_argument("tag", nargs="?")
    audit = commands.add_parser("audit", help="who put, read and dropped what, newest first")
    audit.add_argument("tag", nargs="?", default="")
    audit.add_argument("--limit", type=int, default=100)
    drop = commands.add_parser("drop", help="remove a fragment, or with --tag all of a tag")
    drop.add_argument("name")
    drop.add_argument("--tag", action="store_true")
    rules = commands.add_parser("rules", help="show the rules of a tag, or set them all anew")
    rules.add_argument("tag")
    rules.add_argument("--set", action="store_true", help="without more, this lifts all rules")
    rules.add_argument("--owner", default="")
    rules.add_argument("--customer", action="append", default=[])
    rules.add_argument("--project", action="append", default=[])
    rules.add_argument("--quota-mb", type=int, default=0)
    rules.add_argument("--retention-days", type=float, default=0)
    return parser


def _call(asked: argparse.Namespace) -> tuple[str, str, dict[str, Any] | None]:
    """Return method, path and body of what was asked."""
    match asked.command:
        case "list":
            query = f"?{urlencode({'tag': asked.tag})}" if asked.tag else ""
            return "GET", f"/api/fragments{query}", None
        case "audit":
            query = urlencode({"tag": asked.tag, "limit": asked.limit})
            return "GET", f"/api/audit?{query}", None
        case "drop":
            kind = "tags" if asked.tag else "fragments"
            return "DELETE", f"/api/{kind}/{quote(asked.name, safe='')}", None
        case "rules":
            path = f"/api/tags/{quote(asked.tag, safe='')}/rules"
            return ("PUT", path, _rules(asked)) if asked.set else ("GET", path, None)
        case _:
            return "GET", asked.path, None


def _rules(asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "owner": asked.owner,
        "customers": asked.customer,
        "projects": asked.project,
        "quota_mb": asked.quota_mb,
        "retention_days": asked.retention_days,
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
