"""Secure aggregation over real gRPC on loopback: a learner dies in the middle of it."""

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord

from flops_aggregator.privacy.promises import build_protection
from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.strategies import build_strategy
from flops_aggregator.rounds.supervision import SupervisedStrategy
from flops_contracts.privacy import Privacy, SecureAggregation
from flops_grid.client.app import serve
from flops_grid.client.link import Link, Peer
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import GridSettings, LinkSettings
from support.federation import MemoryRuns, MemoryWatch, a_training
from support.walking_model import walking

TOKEN = "for-this-test"
SECRET = Privacy(secure_aggregation=SecureAggregation(threshold=0.6))
STEPS = {"learner1": 0.25, "learner2": 0.5, "learner3": 0.75, "learner4": 8.0}


class Death(BaseException):
    """Ends a learner's process, if it had one."""


class Mortal:
    """An app that dies when it is asked for its hidden update, after it gave its shares."""

    def __init__(self, app):
        self._app = app

    def __call__(self, message, context):
        if message.metadata.message_type == "query.mask_update":
            raise Death
        return self._app(message, context)


def learn(name, port):
    app = walking(STEPS[name], SECRET).client_app()
    link = Link(Peer(f"127.0.0.1:{port}", name, TOKEN), LinkSettings(unreachable_seconds=20))
    return serve(Mortal(app) if name == "learner4" else app, link)


def test_a_learner_that_dies_after_its_shares_is_not_in_the_sum(threads):
    training = a_training(
        rounds=2, clients=4, min_fit=3, privacy=SECRET, round_timeout_seconds=60.0
    )
    watch = MemoryWatch()
    first = ArrayRecord([np.zeros((500, 1000), np.float32)])
    with StreamGrid("127.0.0.1:0", TOKEN, GridSettings(grace_seconds=0.5)) as grid:
        learners = {name: threads.submit(learn, name, grid.port) for name in STEPS}
        grid.wait_for_learners(4, 30)
        strategy = SupervisedStrategy(
            build_strategy(training),
            training,
            grid,
            watch,
            Place(),
            protection=build_protection(training, MemoryRuns()),
        )
        arrays = strategy.run(grid, first, ConfigRecord())

    np.testing.assert_allclose(arrays.to_numpy_ndarrays()[0], 2 * 0.5, rtol=1e-6)
    assert [completed.metrics["learners"] for completed in watch.completed] == [4, 3]
    assert isinstance(learners["learner4"].exception(10), Death)
    assert all(learners[name].exception(10) is None for name in STEPS if name != "learner4")
