"""The view on the orchestrator's nodes and the data on them."""

from typing import Any

from marshmallow import Schema, fields

from flops_manager.entrypoints.api.answers import AnswerSchema
from flops_manager.entrypoints.api.callers import Call
from flops_manager.usecases.survey import Survey


class TagStatsSchema(Schema):
    """The data of a node with one tag."""

    rows = fields.Integer()
    fragments = fields.Integer()
    bytes = fields.Integer()
    columns = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "Arrow's types by the columns' names."},
    )
    is_uniform = fields.Boolean(
        metadata={"description": "Whether all fragments have these columns."}
    )


class NodeSchema(Schema):
    """A worker node; an empty ``name`` is a cluster that does not list its workers."""

    cluster = fields.String()
    name = fields.String()
    address = fields.String()
    addons = fields.List(fields.String())
    vcpus = fields.Float(allow_none=True, metadata={"description": "Free; null if unknown."})
    memory_mb = fields.Float(allow_none=True, metadata={"description": "Free; null if unknown."})
    is_answering = fields.Boolean(metadata={"description": "Whether its data server answered."})
    data = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(TagStatsSchema),
        metadata={"description": "By data tag; only names and counts, never data."},
    )


class NodesAnswerSchema(AnswerSchema):
    """All active nodes."""

    nodes = fields.List(fields.Nested(NodeSchema))


class NodeViews:
    """The view on the nodes."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey

    def list(self, call: Call) -> dict[str, Any]:  # noqa: ARG002 - every signed-in user may see them
        """List the active nodes and the data that their data servers report."""
        landscape = self._survey.look()
        nodes = [
            {
                **vars(node),
                "addons": sorted(node.addons),
                "is_answering": node.label in landscape.data,
                "data": landscape.data.get(node.label, {}),
            }
            for node in landscape.nodes
        ]
        document: dict[str, Any] = NodesAnswerSchema().dump(
            {"message": f"{len(nodes)} nodes.", "nodes": nodes}
        )
        return document
