"""The shares of each project on this node, stored so that a learner that returns gets the same."""

import json
import logging
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from marshmallow import ValidationError

from flops_contracts.declared import dump, load
from flops_contracts.errors import FlopsError
from flops_flight.errors import InvalidRequestError, NoDataError
from flops_flight.messages import Claim, Share
from flops_ml_data_server.shares import divide
from flops_ml_data_server.storage import durable
from flops_ml_data_server.storage.volume import Volume

logger = logging.getLogger(__name__)

FOLDER: Final = ".claims"


@dataclass(frozen=True)
class Division:
    """The shares of a project, and the tags whose data they divide."""

    data_tags: tuple[str, ...]
    shares: tuple[Share, ...]


class Claims:
    """Divides the volume's data among learners, once per project."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._lock = threading.Lock()

    def share(self, claim: Claim) -> Share:
        """Return the learner's share; raise ``NoDataError`` or ``InvalidRequestError``.

        A division is stored: a learner that returns gets the same share, and later fragments are
        for later projects. Other tags, another number of learners or a dropped fragment make a
        new division.
        """
        if claim.learner_index >= claim.node_learners:
            raise InvalidRequestError(
                f"learner {claim.learner_index} of {claim.node_learners}: learners count from 0"
            )
        with self._lock:
            division = self._stored(claim) or self._divide(claim)
        return division.shares[claim.learner_index]

    def forget_before(self, seconds: float) -> None:
        """Remove divisions that were last used before a time."""
        for path in (self._volume.folder / FOLDER).glob("*.json"):
            if path.stat().st_mtime < seconds:
                path.unlink(missing_ok=True)

    def _stored(self, claim: Claim) -> Division | None:
        try:
            division = load(Division, json.loads(self._path(claim).read_bytes()))
        except (OSError, ValueError, ValidationError):
            return None
        is_same = (
            set(division.data_tags) == set(claim.data_tags)
            and len(division.shares) == claim.node_learners
        )
        if not is_same or not self._is_complete(division):
            return None
        os.utime(self._path(claim))
        return division

    def _is_complete(self, division: Division) -> bool:
        """Return whether every fragment still exists."""
        try:
            for share in division.shares:
                for part in share.parts:
                    self._volume.find(part.name)
        except FlopsError as error:
            logger.warning("the data are divided again: %s", error)
            return False
        return True

    def _divide(self, claim: Claim) -> Division:
        fragments = [stored.summary for stored in self._volume.fragments(claim.data_tags)]
        if not fragments:
            raise self._no_such_tags(claim)
        division = Division(claim.data_tags, divide(fragments, claim.node_learners))
        self._save(self._path(claim), division)
        rows = [share.rows for share in division.shares]
        logger.info("divided %s for project %s: %s rows", claim.data_tags, claim.project_id, rows)
        return division

    def _no_such_tags(self, claim: Claim) -> NoDataError:
        stored_tags = sorted({fragment.name.tag for fragment in self._volume.fragments()})
        requested = ", ".join(claim.data_tags) or "no data tag at all"
        held = f"data with the tags: {', '.join(stored_tags)}" if stored_tags else "no data"
        return NoDataError(
            f"this node holds no data for the requested tags: {requested}",
            hint=f"It holds {held}.",
        )

    def _path(self, claim: Claim) -> Path:
        return self._volume.folder / FOLDER / f"{claim.project_id}.json"

    @staticmethod
    def _save(path: Path, division: Division) -> None:
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(dump(division)), encoding="utf-8")
        durable.publish(temporary, path)
