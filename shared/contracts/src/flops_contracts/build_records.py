"""A builder's notes beside its images, so that a lost report costs no second build.

A note has a name that follows from the project alone. In a registry it is a tag of ``REPOSITORY``
whose image holds nothing but the label ``LABEL``; in an image store it is a file in ``FOLDER``. It
is written when the images are complete, and names them.
"""

import json
from typing import Final

from marshmallow import ValidationError

from flops_contracts.declared import dump, load
from flops_contracts.envelope import MalformedMessageError
from flops_contracts.events import PAYLOADS, ActorsBuilt, Kind, ModelBuilt

BuildResult = ActorsBuilt | ModelBuilt

REPOSITORY: Final = "flops/builds"
LABEL: Final = "flops.result"
FOLDER: Final = "builds"
_KINDS: Final = (Kind.ACTORS_BUILT, Kind.MODEL_BUILT)


def actors_note(project_id: str) -> str:
    """Return the name of the note about a project's actors."""
    return f"{project_id}-actors"


def model_note(project_id: str, run_id: str) -> str:
    """Return the name of the note about the image of the model that a run trained."""
    return f"{project_id}-{run_id}"


def text_from_result(kind: Kind, result: BuildResult) -> str:
    """Return what a note says."""
    document = {"kind": kind, "payload": dump(result)}
    return json.dumps(document, sort_keys=True)


def result_from_text(text: str) -> BuildResult:
    """Return what a note says; raise ``MalformedMessageError``."""
    try:
        document = json.loads(text)
        kind = Kind(document["kind"])
        if kind not in _KINDS:
            raise MalformedMessageError(f"not a build's result: {kind}")
        result: BuildResult = load(PAYLOADS[kind], document["payload"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise MalformedMessageError(f"not a build's result: {error}") from error
    return result


def images_of(result: BuildResult) -> tuple[str, ...]:
    """Return the images that a result names."""
    if isinstance(result, ModelBuilt):
        return (result.image,)
    return result.images.learner, result.images.aggregator
