"""How the workers of a run share its tests out: a file each, those that take long first."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# In the order of the seconds that they take. Whatever is not here is quick, and comes afterwards.
LONG: Final = (
    "tests/e2e/test_e2e_hierarchical.py",
    "tests/integration/training/test_training_processes.py",
    "tests/integration/builds/test_builds_actors.py",
    "tests/e2e/test_e2e_simulation.py",
    "tests/integration/builds/test_builds_models.py",
    "tests/integration/cli/test_cli_suite.py",
    "tests/e2e/test_e2e_demo.py",
    "tests/integration/training/test_training_clusters.py",
    "tests/packaging/test_packaging_services.py",
    "tests/e2e/test_e2e_traces.py",
    "tests/integration/training/test_training_memory.py",
    "tests/integration/data/test_data_tiny_batches.py",
    "tests/integration/simulator/test_simulator_trainings.py",
    "tests/integration/builds/test_builds_inspection.py",
    "tests/integration/manager/test_manager_processes.py",
    "tests/integration/training/test_training_publishing.py",
    "tests/unit/manager/test_manager_killed.py",
    "tests/integration/training/test_training_hostile_peers.py",
    "tests/integration/observatory/test_tracking_server_process.py",
    "tests/unit/manager/test_manager_queue.py",
    "tests/integration/data/test_data_mock_data_provider.py",
    "tests/integration/builds/test_builds_sites.py",
)

# One suite for all of these: starting it is the expensive part.
TOGETHER: Final = {"tests/e2e/test_e2e_hierarchical.py"}


def share_of(nodeid: str) -> str:
    """Return what a test belongs to: the tests of a share run one after the other."""
    return nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """Return the place of a test's share in the order of starting them."""
    share = share_of(nodeid)
    return LONG.index(share) if share in LONG else len(LONG)


class Shares(LoadScopeScheduling):
    """Gives each worker a share, and the next one when it is almost done."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
