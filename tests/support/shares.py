"""The distribution of tests over the workers of a run: whole files, the longest first."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# In the order of the seconds that they take. Whatever is not here is quick, and comes afterwards.
LONG: Final = tuple(
    f"tests/{file}.py"
    for file in (
        "e2e/test_e2e_hierarchical",
        "e2e/test_e2e_base_case",
        "integration/training/test_training_processes",
        "integration/builds/test_builds_actors",
        "e2e/test_e2e_simulation",
        "integration/builds/test_builds_models",
        "e2e/test_e2e_replaced_aggregator",
        "e2e/test_e2e_demo",
        "e2e/test_e2e_privacy",
        "packaging/test_packaging_services",
        "e2e/test_e2e_failures",
        "integration/cli/test_cli_suite",
        "integration/training/test_training_clusters",
        "integration/training/test_training_memory",
        "integration/data/test_data_tiny_batches",
        "e2e/test_e2e_published_clients",
        "integration/simulator/test_simulator_trainings",
        "integration/builds/test_builds_inspection",
        "integration/manager/test_manager_processes",
        "integration/training/test_training_publishing",
        "unit/manager/test_manager_killed",
        "integration/training/test_training_hostile_peers",
        "e2e/test_e2e_command_line",
        "integration/observatory/test_tracking_server_process",
        "unit/manager/test_manager_queue",
        "integration/data/test_data_mock_data_provider",
        "integration/builds/test_builds_sites",
    )
)

# These look at one project.
TOGETHER: Final = {
    "tests/e2e/test_e2e_traces.py": "tests/e2e/test_e2e_base_case.py",
    "tests/e2e/test_e2e_public_repository.py": "tests/e2e/test_e2e_hierarchical.py",
}


def share_of(nodeid: str) -> str:
    """Return what a test belongs to: the tests of a share run one after the other."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file, file)


def rank(nodeid: str) -> int:
    """Return the place of a test's share in the order of starting them."""
    share = share_of(nodeid)
    return LONG.index(share) if share in LONG else len(LONG)


class Shares(LoadScopeScheduling):
    """Gives each worker a share, and the next one when it is almost done."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
