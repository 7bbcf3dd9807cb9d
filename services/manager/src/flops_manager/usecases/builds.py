"""Finding out whether what a project is about to build, or waits for, exists already."""

from flops_contracts.build_records import BuildResult
from flops_manager.domain.subjects import Subject
from flops_manager.ports.images import Images


def built(images: Images, subject: Subject) -> BuildResult | None:
    """Return what the builder of the present stage left, whether or not it reported it.

    None if it is not there, not complete, or cannot be looked for.
    """
    return images.built(subject.build_note) if subject.build_note else None
