"""The shares of each project on this node, kept so that a learner that returns finds its own.

Fragments that arrive after a project's first claim count from the next project on.
"""

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
    """How the data of some tags were divided for one project."""

    data_tags: tuple[str, ...]
    shares: tuple[Share, ...]


class Claims:
    """Divides the volume's data among learners, once per project."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._lock = threading.Lock()

    def share(self, claim: Claim) -> Share:
        """Return the learner's share; raise ``NoDataError`` or ``InvalidRequestError``.

        What was divided stays so: a learner that returns finds its share, and fragments that
        arrive meanwhile count from the next project on. A project that asks with other tags, or
        for another number of learners, or whose data were dropped, is divided anew.
        """
        if claim.learner_index >= claim.node_learners:
            raise InvalidRequestError(
                f"learner {claim.learner_index} of {claim.node_learners}: learners count from 0"
            )
        with self._lock:
            division = self._kept(claim) or self._divide(claim)
        return division.shares[claim.learner_index]

    def forget_before(self, seconds: float) -> None:
        """Remove what was divided before a time and never asked for since."""
        for path in (self._volume.folder / FOLDER).glob("*.json"):
            if path.stat().st_mtime < seconds:
                path.unlink(missing_ok=True)

    def _kept(self, claim: Claim) -> Division | None:
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
        """Say whether every fragment is still there; a dropped one makes the shares worthless."""
        try:
            for share in division.shares:
                for part in share.parts:
                    self._volume.find(part.name)
        except FlopsError as error:
            logger.warning("shares are divided anew: %s", error)
            return False
        return True

    def _divide(self, claim: Claim) -> Division:
        fragments = [stored.summary for stored in self._volume.fragments(claim.data_tags)]
        if not fragments:
            raise self._no_such_tags(claim)
        division = Division(claim.data_tags, divide(fragments, claim.node_learners))
        self._keep(self._path(claim), division)
        rows = [share.rows for share in division.shares]
        logger.info("divided %s for project %s: %s rows", claim.data_tags, claim.project_id, rows)
        return division

    def _no_such_tags(self, claim: Claim) -> NoDataError:
        there = sorted({one.name.tag for one in self._volume.fragments()})
        asked = ", ".join(claim.data_tags) or "no data tag at all"
        return NoDataError(
            f"this node holds no data for the asked tags: {asked}",
            hint=f"It holds data for: {', '.join(there)}." if there else "It holds no data.",
        )

    def _path(self, claim: Claim) -> Path:
        return self._volume.folder / FOLDER / f"{claim.project_id}.json"

    @staticmethod
    def _keep(path: Path, division: Division) -> None:
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps(dump(division)), encoding="utf-8")
        durable.publish(temporary, path)
