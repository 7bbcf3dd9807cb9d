"""Which nodes of a topology have a data server that a suite waits for."""

import pytest

from flops_cli.local.suite import learner_nodes


@pytest.mark.parametrize(
    ("topology", "numbers"),
    [
        ((), (1,)),
        (({"nodes": [{}, {}]}, {"nodes": [{}]}), (1, 2, 3)),
        (({"nodes": [{"addons": ["image-builder"]}, {"addons": ["FLOps-learner"]}]},), (2,)),
    ],
    ids=["one machine", "two clusters", "a node that only builds"],
)
def test_learner_nodes_are_counted_over_all_clusters(topology, numbers):
    assert learner_nodes(topology) == numbers
