# ruff: noqa: INP001 - a script beside the file that it is for, no package
"""Prints addon/manifest.json with the passwords and addresses of compose/.env filled in.

    make env && python3 addon/fill.py | curl ... -d @- http://<root>:11102/api/v1/marketplace/addons/

It goes to standard output, so that the passwords need not lie in one more file.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, Final

MANIFEST: Final = Path(__file__).with_name("manifest.json")
ENVIRONMENT: Final = Path(__file__).parents[1] / "compose" / ".env"

DEFAULTS: Final = {
    "FLOPS_IMAGE_PREFIX": "ghcr.io/oakestra/addon-flops",
    "FLOPS_OAKESTRA_USER": "Admin",
}


class MissingValuesError(Exception):
    """The manifest asks for something that the environment file does not have."""


def values_from(text: str) -> dict[str, str]:
    """Return the assignments of an environment file that are not empty."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip()}


def filled(document: Any, values: Mapping[str, str]) -> Any:
    """Return the document with every ${NAME} replaced; raise ``MissingValuesError``."""
    missing = sorted(_names(document) - values.keys())
    if missing:
        raise MissingValuesError(", ".join(missing))
    return _replaced(document, values)


def _names(document: Any) -> set[str]:
    if isinstance(document, str):
        return set(Template(document).get_identifiers())
    parts = document.values() if isinstance(document, dict) else document
    return {name for part in parts for name in _names(part)}


def _replaced(document: Any, values: Mapping[str, str]) -> Any:
    match document:
        case dict():
            return {key: _replaced(value, values) for key, value in document.items()}
        case list():
            return [_replaced(part, values) for part in document]
        case _:
            return Template(document).substitute(values)


def main() -> None:
    """Print the manifest, or say what lacks."""
    if not ENVIRONMENT.exists():
        sys.exit(f"There is no {ENVIRONMENT}: run `make env` first.")
    values = {**DEFAULTS, **values_from(ENVIRONMENT.read_text(encoding="utf-8"))}
    try:
        document = filled(json.loads(MANIFEST.read_text(encoding="utf-8")), values)
    except MissingValuesError as error:
        sys.exit(f"{ENVIRONMENT} lacks {error}.")
    json.dump(document, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
