"""A hierarchical project over memory adapters: connections, state, replacements."""

from dataclasses import replace

import pytest

from flops_contracts.events import Kind, LearnerRound, RoundCompleted, RoundStarted
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role, Stage
from flops_manager.domain.deadlines import Limits, project_limit
from flops_manager.domain.errors import OrchestratorRefusedError
from flops_manager.domain.facts import with_message
from flops_manager.domain.states import Health
from support.manager_core import (
    ACTORS_BUILT,
    ANNA,
    NOW,
    OBSERVATORY,
    TRAINED,
    Core,
    a_failure,
    a_hierarchical_sla,
    an_event,
    two_clusters,
)
from support.waiting import until


class Tree:
    """A hierarchical project in training: two clusters of two learners each."""

    def __init__(self, core, sla):
        self.core = core
        self.id = core.app.projects.submit(sla, ANNA).id
        builder = core.until_running(self.id, Role.BUILDER)[0]
        core.say(self.id, builder, Kind.ACTORS_BUILT, ACTORS_BUILT)
        core.until_running(self.id, Role.LEARNER, 4)
        (self.root,) = self.names(Role.AGGREGATOR)
        self.east, self.west = self.names(Role.CLUSTER_AGGREGATOR)
        self.learners = self.names(Role.LEARNER)

    @property
    def project(self):
        return self.core.project(self.id)

    def names(self, role):
        return [item.instance for item in self.project.present(role)]

    def environment_of(self, instance):
        return self.core.orchestrator.running()[instance].environment

    def say(self, instance, kind, payload=None):
        self.core.say(self.id, instance, kind, payload)

    def fail(self, instance, reason="it broke", exit_code=ExitCode.BUG, **more):
        self.say(instance, Kind.FAILED, a_failure(reason, exit_code, **more))

    def die(self, instance):
        self.core.orchestrator.change_state(
            instance, health=Health.DEAD, status="DEAD", detail="exit code 137"
        )

    def until_replaced(self, instance, role, count):
        """Wait until ``count`` of ``role`` run without ``instance``; return the new one."""
        before = set(self.names(role))
        until(lambda: instance not in self.names(role), what=f"{instance} is removed")
        present = set(self.core.until_running(self.id, role, count))
        until(lambda: present <= set(self.core.orchestrator.running()))
        return (present - before).pop() if present - before else (present - {instance}).pop()


@pytest.fixture
def core():
    core = Core(landscape=two_clusters())
    with core.working():
        yield core


@pytest.fixture
def tree(core):
    return Tree(core, a_hierarchical_sla(steps=()))


def a_cluster_round(cycle, number, accuracy=0.5):
    return RoundCompleted(number, 3, 0.5, accuracy, 1.0, cycle=cycle)


def a_cycle(number, accuracy=0.5):
    return RoundCompleted(number, 2, 0.5, accuracy, 1.0, is_cycle=True)


def test_the_root_counts_cycles_and_clusters(tree):
    environment = tree.environment_of(tree.root)

    assert environment["FLOPS_TRAINING_ROUNDS"] == "2"
    assert environment["FLOPS_LEARNERS"] == "2"
    assert environment["FLOPS_MIN_FIT_CLIENTS"] == "1"
    assert environment["FLOPS_ROUND_TIMEOUT_SECONDS"] == str(3 * 2 * (3600 + 60))
    assert environment["FLOPS_SETTLE_SECONDS"] == "120"
    assert "FLOPS_PARENT_ADDRESS" not in environment


def test_a_clusters_aggregator_counts_rounds_and_its_own_learners(tree):
    environment = tree.environment_of(tree.east)

    assert environment["FLOPS_TRAINING_ROUNDS"] == "3"
    assert environment["FLOPS_LEARNERS"] == "2"
    assert environment["FLOPS_MIN_FIT_CLIENTS"] == "2"
    assert environment["FLOPS_CLUSTER"] == "east"


def test_a_clusters_aggregator_dials_the_root(tree):
    environment, root = tree.environment_of(tree.west), tree.project.service(tree.root)

    assert environment["FLOPS_PARENT_ADDRESS"] == f"{root.address}:8080"
    assert environment["FLOPS_PARENT_TOKEN"] == tree.environment_of(tree.root)["FLOPS_GRID_TOKEN"]


def test_learners_dial_their_own_clusters_aggregator_only(tree):
    addresses = {
        name: f"{tree.project.service(aggregator).address}:8080"
        for name, aggregator in (("east", tree.east), ("west", tree.west))
    }

    dialled = {
        (environment["FLOPS_CLUSTER"], environment["FLOPS_AGGREGATOR_ADDRESS"])
        for environment in map(tree.environment_of, tree.learners)
    }

    assert dialled == set(addresses.items())


def test_each_grid_has_a_token_of_its_own(tree):
    tokens = [
        tree.environment_of(item)["FLOPS_GRID_TOKEN"] for item in (tree.root, tree.east, tree.west)
    ]

    assert len(set(tokens)) == 3
    assert {tree.environment_of(learner)["FLOPS_GRID_TOKEN"] for learner in tree.learners} == set(
        tokens[1:]
    )


def test_every_aggregator_has_an_address_of_its_own(tree):
    addresses = {tree.project.service(item).address for item in (tree.root, tree.east, tree.west)}

    assert len(addresses) == 3
    assert "" not in addresses


def test_the_project_knows_cycles_and_the_rounds_of_each_cluster(tree):
    tree.say(tree.west, Kind.ROUND_COMPLETED, a_cluster_round(1, 1))
    tree.say(tree.east, Kind.ROUND_COMPLETED, a_cluster_round(1, 2))
    tree.say(tree.east, Kind.ROUND_COMPLETED, a_cluster_round(1, 1))
    tree.say(tree.east, Kind.ROUND_COMPLETED, a_cluster_round(1, 1))
    tree.say(tree.root, Kind.ROUND_COMPLETED, a_cycle(1))
    tree.say(tree.east, Kind.ROUND_COMPLETED, a_cluster_round(2, 1))

    project = tree.project
    assert project.rounds == (a_cycle(1),)
    assert [
        (round_.cluster, round_.completed.cycle, round_.completed.round)
        for round_ in project.cluster_rounds
    ] == [("east", 1, 1), ("east", 1, 2), ("west", 1, 1), ("east", 2, 1)]


def test_a_clusters_round_that_is_reported_again_replaces_none_of_another_cycle_or_cluster(tree):
    project = tree.project
    again = an_event(project, tree.east, Kind.ROUND_COMPLETED, a_cluster_round(1, 1))
    west = an_event(project, tree.west, Kind.ROUND_COMPLETED, a_cluster_round(1, 1))
    later = replace(a_cluster_round(1, 1), accuracy=0.99)
    project = with_message(project, west, NOW, True)
    project = with_message(project, again, NOW, False)
    assert len(project.cluster_rounds) == 2
    project = with_message(
        project, an_event(project, tree.east, Kind.ROUND_COMPLETED, later), NOW, True
    )

    assert with_message(project, again, NOW, False).cluster_rounds == project.cluster_rounds
    assert later in [round_.completed for round_ in project.cluster_rounds]


def test_a_cycle_that_went_on_without_a_cluster_says_so(tree):
    missing = LearnerRound(tree.west, error="fit_model raised ValueError (m.py:3)")
    done = replace(a_cycle(1), learners=(LearnerRound(tree.east, samples=900), missing))

    tree.say(tree.root, Kind.ROUND_COMPLETED, done)

    assert tree.project.notices == (
        "Cycle 1 went on without west: fit_model raised ValueError (m.py:3)",
    )


def test_progress_never_goes_backwards_from_cluster_to_cluster(tree):
    tree.say(tree.east, Kind.ROUND_COMPLETED, a_cluster_round(1, 2))
    tree.say(tree.west, Kind.ROUND_STARTED, RoundStarted(1, 3, cycle=1))

    progress = tree.project.progress
    assert progress.message == "cycle 1 of 2, round 1 of 3 in west"
    assert (round(progress.done, 2), progress.total, progress.unit) == (0.67, 2, "cycles")


def test_the_best_models_cycle_is_known(tree):
    tree.say(tree.root, Kind.TRAINED, replace(TRAINED, best_round=2, rounds=2))

    assert tree.core.until_stage(tree.id, Stage.COMPLETED).best_cycle == 2


def test_nothing_is_left_in_any_cluster_when_it_is_trained(tree):
    tree.say(tree.root, Kind.TRAINED, TRAINED)

    tree.core.until_stage(tree.id, Stage.COMPLETED)
    until(lambda: tree.core.running() == OBSERVATORY, what="all actors are gone")


def test_nothing_is_left_in_any_cluster_when_it_is_cancelled(tree):
    tree.core.app.projects.cancel(tree.id, ANNA)

    until(lambda: tree.core.running() == OBSERVATORY, what="all actors are gone")


def test_a_clusters_aggregator_that_ends_well_is_not_lost(tree):
    for item in (tree.east, tree.west):
        tree.core.orchestrator.change_state(item, health=Health.ENDED, status="COMPLETED")
    tree.core.until_looked_at()

    assert tree.project.learner_failures == ()


def test_a_killed_cluster_aggregator_is_started_again_where_its_learners_look_for_it(tree):
    address = tree.project.service(tree.east).address

    tree.die(tree.east)

    new = tree.until_replaced(tree.east, Role.CLUSTER_AGGREGATOR, 2)
    until(lambda: tree.project.service(new).address == address, what="it has the address")
    assert tree.environment_of(new)["FLOPS_CLUSTER"] == "east"
    assert tree.core.orchestrator.running()[new].address == address
    assert tree.project.stage is Stage.TRAINING
    assert set(tree.learners) <= set(tree.core.orchestrator.running())
    (notice,) = tree.project.notices
    assert notice.startswith("Another is started in its place: ")
    assert "exit code 137" in notice


def test_a_killed_learner_is_started_again_with_the_same_share(tree):
    lost = tree.learners[1]
    share = {
        key: tree.environment_of(lost)[key]
        for key in ("FLOPS_LEARNER_INDEX", "FLOPS_NODE_LEARNERS", "FLOPS_NODE", "FLOPS_CLUSTER")
    }

    tree.die(lost)

    new = tree.until_replaced(lost, Role.LEARNER, 4)
    assert share.items() <= tree.environment_of(new).items()


def test_who_dies_again_and_again_is_left_out_and_its_cluster_with_it(tree):
    lost = tree.learners[0]
    for _ in range(2):
        tree.die(lost)
        lost = tree.until_replaced(lost, Role.LEARNER, 4)

    tree.die(lost)

    until(lambda: tree.names(Role.CLUSTER_AGGREGATOR) == [tree.west], what="east is left out")
    until(lambda: tree.names(Role.LEARNER) == tree.learners[2:], what="only west learns")
    assert tree.project.stage is Stage.TRAINING
    assert tree.project.notices[-1].startswith("The cluster east is left out: ")


def test_where_nobody_can_be_started_again_the_place_stays_empty(tree):
    refused = OrchestratorRefusedError("no more room")
    deploy = tree.core.orchestrator.deploy

    def deploy_no_second_aggregator_in_east(deployment):
        if deployment.environment["FLOPS_CLUSTER"] == "east":
            raise refused
        return deploy(deployment)

    tree.core.orchestrator.deploy = deploy_no_second_aggregator_in_east

    tree.die(tree.east)

    until(lambda: tree.names(Role.CLUSTER_AGGREGATOR) == [tree.west], what="east is left out")
    assert tree.project.stage is Stage.TRAINING
    assert tree.project.learner_failures[-1].error.reason == "no more room"


def test_a_mistake_in_user_code_is_not_tried_again(tree):
    tree.fail(tree.learners[0], "fit_model raised ValueError", ExitCode.USER_CODE_FAILED)

    until(lambda: tree.names(Role.CLUSTER_AGGREGATOR) == [tree.west], what="east is left out")
    assert tree.project.learner_failures[0].is_replaced is False
    assert tree.project.notices == ("The cluster east is left out: fit_model raised ValueError",)


def test_a_cluster_without_enough_learners_is_tried_again_while_they_may_come(tree):
    tree.fail(tree.east, "nobody joined", ExitCode.TOO_FEW_LEARNERS)

    tree.until_replaced(tree.east, Role.CLUSTER_AGGREGATOR, 2)

    assert tree.project.stage is Stage.TRAINING


def test_too_few_clusters_fail_the_project_with_the_first_cause(core):
    tree = Tree(core, a_hierarchical_sla(steps=(), clusters=2))

    tree.fail(
        tree.east,
        "fit_model raised ValueError",
        ExitCode.USER_CODE_FAILED,
        origin=tree.learners[1],
        round=3,
        cycle=2,
    )

    error = core.until_stage(tree.id, Stage.FAILED).error
    assert (error.reason, error.instance) == ("fit_model raised ValueError", tree.learners[1])
    assert (error.role, error.cluster, error.node) == (Role.LEARNER, "east", "node-2")
    assert (error.round, error.cycle) == (3, 2)
    until(lambda: core.running() == OBSERVATORY, what="all actors are gone")


def test_a_root_without_enough_clusters_names_why_they_left(tree):
    tree.fail(tree.learners[0], "fit_model raised ValueError", ExitCode.USER_CODE_FAILED)
    tree.fail(tree.root, "1 of at least 2 clusters", ExitCode.TOO_FEW_LEARNERS)

    error = tree.core.until_stage(tree.id, Stage.FAILED).error
    assert (error.reason, error.cluster) == ("fit_model raised ValueError", "east")


def test_an_active_cluster_without_data_is_reported_and_not_waited_for():
    core = Core(landscape=two_clusters({"node-1": {"mnist": 9}, "node-3": {"cifar": 9}}))
    with core.working():
        project_id = core.app.projects.submit(a_hierarchical_sla(steps=()), ANNA).id
        core.until_running(project_id, Role.BUILDER)

        notices = core.project(project_id).notices

    assert "The cluster west is left out." in notices[0]


def test_a_dry_run_names_the_clusters_that_take_no_part():
    core = Core(landscape=two_clusters({"node-1": {"mnist": 9}, "node-3": {"cifar": 9}}))

    findings = core.app.projects.check(a_hierarchical_sla(), ANNA)

    by_check = {finding.check: finding for finding in findings}
    assert "The cluster west is left out." in by_check["clusters"].message
    assert by_check["placement"].is_ok


def test_a_retry_begins_with_a_new_tree(tree):
    tree.core.app.projects.cancel(tree.id, ANNA)
    until(lambda: not tree.names(Role.LEARNER), what="all actors are gone")
    tree.core.app.projects.retry(tree.id, ANNA)

    new = tree.core.until_running(tree.id, Role.LEARNER, 4)

    assert not set(new) & set(tree.learners)
    roots = tree.core.until_running(tree.id, Role.AGGREGATOR)
    address = tree.project.service(roots[0]).address
    (east, _) = tree.core.until_running(tree.id, Role.CLUSTER_AGGREGATOR, 2)
    assert tree.environment_of(east)["FLOPS_PARENT_ADDRESS"] == f"{address}:8080"


def test_a_hierarchical_training_has_time_for_all_its_cycles(tree):
    limits = Limits(joining_seconds=100)

    assert project_limit(tree.project, limits) == 100 + 2 * 3 * 2 * (3600 + 60)
