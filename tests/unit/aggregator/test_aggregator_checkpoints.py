"""A training that is interrupted after any round gives what it gives undisturbed."""

from pathlib import Path

import numpy as np
import pytest

from flops_aggregator.checkpoints.files import Checkpoint, Memory
from flops_aggregator.checkpoints.store import CheckpointStore
from flops_contracts.sla import Parametrised
from flops_contracts.strategies import STRATEGIES
from flops_grid.messages.flower_internals import take_identity
from support.artifacts import FolderArtifacts
from support.federation import Learner, run

ROUNDS = 4


@pytest.fixture(autouse=True, scope="module")
def _identity():
    take_identity()


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(FolderArtifacts(tmp_path))


def learners():
    """Each pulls towards a point of its own; their accuracy has its best in the first round."""

    def towards(goal):
        return lambda arrays: [array + (goal - array) * np.float32(0.3) for array in arrays]

    return {
        letter: Learner(fit=towards(goal), samples=goal + 1, accuracy=0.5)
        for goal, letter in enumerate("abcde")
    }


def train(name, memory):
    parameters = dict.fromkeys(STRATEGIES[name].required, 0.1)
    if name == "FedAvgM":
        parameters = {"server_momentum": 0.9}
    strategy = Parametrised(name, parameters)
    return run(learners(), memory=memory, rounds=ROUNDS, strategy=strategy)


def a_checkpoint(number: int) -> Checkpoint:
    checkpoints: list[Checkpoint] = []
    run(learners(), memory=Memory(keep=checkpoints.append), rounds=number)
    return checkpoints[-1]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_going_on_after_any_round_gives_the_same_parameters(name, tmp_path):
    folders = [tmp_path / str(number) for number in range(ROUNDS)]
    stores = [CheckpointStore(FolderArtifacts(folder)) for folder in folders]
    [folder.mkdir() for folder in folders]
    undisturbed, first, _ = train(
        name, Memory(keep=lambda item: stores[item.number - 1].save(item))
    )

    resumed = [train(name, Memory(since=store.latest(pytest.fail))) for store in stores]

    for result, strategy, _ in resumed:
        np.testing.assert_array_equal(result[0], undisturbed[0])
        assert strategy.best.round == first.best.round
        np.testing.assert_array_equal(
            strategy.best.arrays.to_numpy_ndarrays()[0], first.best.arrays.to_numpy_ndarrays()[0]
        )
    assert [[item.round for item in watch.completed] for _, _, watch in resumed] == [
        [2, 3, 4],
        [3, 4],
        [4],
        [],
    ]


def test_what_is_read_is_what_was_written(store):
    written = a_checkpoint(3)

    store.save(written)
    read = store.latest(pytest.fail)

    assert (read.number, read.round, read.history, read.samples, read.random) == (
        written.number,
        written.round,
        written.history,
        written.samples,
        written.random,
    )


def test_only_the_two_newest_are_kept(store, tmp_path):
    [store.save(a_checkpoint(number)) for number in (1, 2, 3)]

    assert sorted({path.name[:8] for path in tmp_path.iterdir()}) == ["00000002", "00000003"]
    assert len(list(tmp_path.iterdir())) == 4


def tear_the_data(folder: Path) -> None:
    newest = max(folder.glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-100])


def corrupt_the_data(folder: Path) -> None:
    newest = max(folder.glob("*.npz"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)


def tear_the_manifest(folder: Path) -> None:
    newest = max(folder.glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:-5])


def lose_the_data(folder: Path) -> None:
    max(folder.glob("*.npz")).unlink()


@pytest.mark.parametrize(
    "damage", [tear_the_data, corrupt_the_data, tear_the_manifest, lose_the_data]
)
def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_is_used(store, tmp_path, damage):
    notices: list[str] = []
    store.save(a_checkpoint(1))
    store.save(a_checkpoint(2))
    damage(tmp_path)

    checkpoint = store.latest(notices.append)

    assert checkpoint.number == 1
    assert len(notices) == 1
    assert notices[0].startswith("Checkpoint 00000002-")


def test_one_whose_upload_was_interrupted_does_not_count(store, tmp_path):
    store.save(a_checkpoint(1))
    store.save(a_checkpoint(2))
    max(tmp_path.glob("*.json")).unlink()

    assert store.latest(pytest.fail).number == 1


def test_none_is_none(store):
    assert store.latest(pytest.fail) is None


def test_not_every_round_needs_one():
    checkpoints: list[Checkpoint] = []

    run(learners(), memory=Memory(keep=checkpoints.append), rounds=5, checkpoint_every_rounds=2)

    assert [item.round for item in checkpoints] == [2, 4, 5]
