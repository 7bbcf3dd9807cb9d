"""Compressed updates through whole trainings: real pictures of digits, learners in memory."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from flops_contracts.sla import Compression
from flops_grid.client.app import run_app
from flops_grid.messages.flower_internals import take_identity
from flops_grid.user_model import UserModel
from flops_learner.training import Training
from support.federation import MemoryCluster, run

CLASSES, LEARNERS, ROUNDS = 10, 4, 6
PIXELS, LABELS = load_digits(return_X_y=True)
PIXELS = (PIXELS / 16).astype(np.float32)
FIRST = [np.zeros((PIXELS.shape[1], CLASSES), np.float32), np.zeros(CLASSES, np.float32)]


class Digits:
    """Softmax regression by gradient descent on one learner's share of the digits."""

    def __init__(self, number):
        mine = np.random.default_rng(3).permutation(len(LABELS))[number::LEARNERS]
        self.rows, self.targets = PIXELS[mine], np.eye(CLASSES, dtype=np.float32)[LABELS[mine]]

    def set_model_parameters(self, parameters):
        self.weights, self.bias = parameters

    def get_model_parameters(self):
        return [self.weights, self.bias]

    def fit_model(self):
        for _ in range(30):
            wrong = (self._likelihoods() - self.targets) / len(self.rows)
            self.weights -= 0.5 * self.rows.T @ wrong
            self.bias -= 0.5 * wrong.sum(axis=0)
        return len(self.rows)

    def evaluate_model(self):
        likelihoods = self._likelihoods()
        loss = -np.log((likelihoods * self.targets).sum(axis=1) + 1e-9).mean()
        hits = likelihoods.argmax(axis=1) == self.targets.argmax(axis=1)
        return float(loss), float(hits.mean()), len(self.rows)

    def _likelihoods(self):
        scores = self.rows @ self.weights + self.bias
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        return grown / grown.sum(axis=1, keepdims=True)


class TrainedClient:
    """A learner as the service has it, asked in memory."""

    def __init__(self, number):
        self._app = Training(UserModel(Digits(number), Path.cwd())).client_app()

    def answer(self, message):
        return run_app(self._app, message)


def clients():
    take_identity()
    return {f"learner{number}": TrainedClient(number) for number in range(LEARNERS)}


@cache
def trained(compression):
    _, _, watch = run(clients(), FIRST, rounds=ROUNDS, compression=compression)
    return watch.completed


@pytest.mark.parametrize(
    ("compression", "times"), [(Compression.FLOAT16, 2), (Compression.INT8, 4)]
)
def test_digits_are_learnt_as_well_with_fewer_bytes(compression, times):
    plain, compressed = trained(Compression.NONE), trained(compression)

    assert plain[-1].accuracy > 0.9
    assert compressed[-1].accuracy == pytest.approx(plain[-1].accuracy, abs=0.01)
    up = sum(item.metrics["bytes_up"] for item in compressed)
    # The messages' descriptions stay, and weigh much beside a model of 2.6 kB.
    assert up < sum(item.metrics["bytes_up"] for item in plain) * (1 / times + 0.35)


def test_digits_are_learnt_as_well_when_clusters_compress_too():
    changes = {"compression": Compression.INT8}
    learners = clients()
    names = sorted(learners)
    clusters = {
        f"cluster{n}": MemoryCluster(
            {name: learners[name] for name in names[n::2]}, rounds=3, **changes
        )
        for n in range(2)
    }

    _, _, watch = run(clusters, FIRST, rounds=ROUNDS // 3, **changes)

    assert watch.completed[-1].accuracy == pytest.approx(
        trained(Compression.NONE)[-1].accuracy, abs=0.01
    )
