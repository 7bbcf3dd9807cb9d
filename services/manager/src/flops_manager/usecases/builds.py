"""Finding out whether what a project is about to build, or waits for, is there already."""

from flops_contracts.build_records import BuildResult, actors_note, model_note
from flops_contracts.roles import Stage
from flops_manager.domain.projects import Project
from flops_manager.ports.images import Images


class Builds:
    """Asks for what the builder of a project's present stage left, whether or not it told."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def of(self, project: Project) -> BuildResult | None:
        """Return it, or None if it is not there, not complete, or not to be found out."""
        match project.stage:
            case Stage.BUILDING_ACTORS:
                return self._images.built(actors_note(project.id))
            case Stage.BUILDING_MODEL if project.trained is not None:
                return self._images.built(model_note(project.id, project.trained.run_id))
            case _:
                return None
