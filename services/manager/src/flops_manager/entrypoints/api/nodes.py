"""The view on the orchestrator's nodes and the data on them."""

from flops_contracts.api.answers import NodesAnswer
from flops_contracts.api.queries import Query
from flops_manager.entrypoints.api.answers import node_answer
from flops_manager.entrypoints.api.callers import Call
from flops_manager.usecases.survey import Survey


class NodeViews:
    """The view on the nodes."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def list(self, call: Call[Query]) -> NodesAnswer:  # noqa: ARG002 - every signed-in user may see them
        """List the active nodes and the data that their data servers report."""
        landscape = self._survey.look()
        nodes = [node_answer(node, landscape.data.get(node.label)) for node in landscape.nodes]
        return NodesAnswer(f"{len(nodes)} nodes.", tuple(nodes))
