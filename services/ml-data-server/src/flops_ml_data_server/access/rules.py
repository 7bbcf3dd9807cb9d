"""The rules of a data tag: its owner, its users, its quota and its retention."""

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from marshmallow import ValidationError

from flops_contracts.declared import declared, dump, load, strict
from flops_flight.errors import DataRejectedError, InvalidRequestError, NotAllowedError
from flops_flight.names import is_tag
from flops_ml_data_server.access.callers import Caller
from flops_ml_data_server.storage import durable

logger = logging.getLogger(__name__)

FOLDER: Final = ".tags"


@strict()
@dataclass(frozen=True)
class TagRules:
    """The rules of a tag; an empty or 0 rule does not apply."""

    owner: str = declared("", longest=200)
    customers: tuple[str, ...] = declared((), pattern=".")
    projects: tuple[str, ...] = declared((), pattern=".")
    quota_mb: int = declared(0, minimum=0)
    retention_days: float = declared(0, minimum=0)

    def check_use(self, tag: str, caller: Caller) -> None:
        """Raise ``NotAllowedError`` unless ``caller`` may list and read the data."""
        if not self.may_use(caller):
            raise NotAllowedError(
                f"the data with tag {tag} are not for this project or customer",
                hint="Its owner, or the operator of the node, can allow it.",
            )

    def may_use(self, caller: Caller) -> bool:
        """Return whether ``caller`` may list and read the data."""
        is_for_all = not self.customers and not self.projects
        is_named = caller.customer_id in self.customers or caller.project_id in self.projects
        return is_for_all or is_named or self._is_owner(caller)

    def check_change(self, tag: str, caller: Caller) -> None:
        """Raise ``NotAllowedError`` unless ``caller`` may add and drop data."""
        if self.owner and not self._is_owner(caller):
            raise NotAllowedError(f"the data with tag {tag} belong to {self.owner}")

    def _is_owner(self, caller: Caller) -> bool:
        return caller.is_operator or (bool(self.owner) and caller.name == self.owner)


class Rulebook:
    """The rules of all tags, a file each; a tag without a file has the defaults."""

    def __init__(self, volume: Path, defaults: TagRules | None = None) -> None:
        self._folder = volume / FOLDER
        self._defaults = defaults or TagRules()

    def rules(self, tag: str) -> TagRules:
        """Return the rules of a tag; with unreadable rules, only the operator has access."""
        try:
            content = self._path(tag).read_bytes()
        except FileNotFoundError:
            return self._defaults
        try:
            return rules_from(json.loads(content))
        except (ValueError, InvalidRequestError):
            logger.exception("the rules of %s cannot be read", tag)
            return TagRules(owner="nobody: its rules cannot be read", customers=("nobody",))

    def write(self, tag: str, rules: TagRules) -> None:
        """Store the rules of a tag, which may have no data yet."""
        path = self._path(tag)
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(document_of(rules)), encoding="utf-8")
        durable.publish(temporary, path)

    def _path(self, tag: str) -> Path:
        if not is_tag(tag):
            raise DataRejectedError(f"'{tag[:150]}' is not a data tag")
        return self._folder / f"{tag}.json"


def rules_from(document: Mapping[str, object]) -> TagRules:
    """Return the rules in a JSON document; raise ``InvalidRequestError``."""
    try:
        return load(TagRules, document)
    except ValidationError as error:
        raise InvalidRequestError(f"cannot read the rules: {error.messages}") from error


def document_of(rules: TagRules) -> dict[str, object]:
    """Return rules as a JSON document."""
    return dump(rules)
