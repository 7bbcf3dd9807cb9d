"""The demo's SLAs in each mode, and its summary."""

import io

import pytest
from rich.console import Console

from flops_cli.local.demo_plans import PLANS
from flops_cli.local.suite import learner_nodes
from flops_cli.local.summary import show_rounds
from flops_cli.results import Project
from flops_cli.screen import PlainScreen
from flops_contracts.sla import Mode
from flops_contracts.sla_documents import read_mock_sla, read_project_sla

HIERARCHICAL = PLANS[Mode.HIERARCHICAL]


@pytest.mark.parametrize("mode", Mode)
def test_the_slas_of_every_mode_are_valid(mode):
    plan = PLANS[mode]

    project = read_project_sla(plan.project_sla("Admin", "file:///repository"))

    assert project.training_configuration.mode is mode
    assert project.learners == 2
    assert read_mock_sla(plan.data_sla("Admin")).mock_data_configuration.nodes == plan.nodes
    assert read_mock_sla(plan.held_out_sla("Admin")).mock_data_configuration.split == "test"


def test_two_clusters_have_two_nodes_with_data_each():
    assert [cluster["cluster"] for cluster in HIERARCHICAL.topology] == ["east", "west"]
    assert learner_nodes(HIERARCHICAL.topology) == (1, 2, 3, 4)
    assert (HIERARCHICAL.nodes, HIERARCHICAL.fits) == (4, 4)


def test_without_a_topology_this_machine_is_the_only_node():
    assert PLANS[Mode.CLASSIC].topology == []
    assert learner_nodes(()) == (1,)


def test_nodes_without_the_addon_have_no_data_server():
    nodes = [{"name": "n1", "addons": ["image-builder"]}, {"name": "n2"}]

    assert learner_nodes([{"cluster": "east", "nodes": nodes}]) == (2,)


def test_the_summary_lists_cycles_and_clusters():
    console = Console(file=io.StringIO(), width=100)
    project = Project.from_document(
        {
            "project_id": "p1",
            "stage": "completed",
            "rounds": [{"round": 1, "is_cycle": True, "accuracy": 0.875, "seconds": 4}],
            "cluster_rounds": [{"cluster": "east", "cycle": 1, "round": 2, "accuracy": 0.75}],
        }
    )

    show_rounds(project, PlainScreen(console))

    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["1", "0.8750", "-", "4.00"] in lines
    assert ["1", "east", "2", "0.7500", "-", "0.00"] in lines
