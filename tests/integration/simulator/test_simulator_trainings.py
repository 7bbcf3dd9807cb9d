"""Whole simulations as processes, beside trainings over a real grid."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flops_aggregator.rounds.place import Place
from flops_aggregator.rounds.training import train
from flops_contracts.exit_codes import ExitCode
from flops_contracts.sla_documents import read_project_sla
from flops_grid.client.app import serve_client_app
from flops_grid.server.grid import StreamGrid
from flops_grid.user_model import UserModel
from flops_grid.wire.settings import GridSettings
from flops_learner.training import Training
from flops_simulator.simulation import training_of
from support import forks
from support.federation import MemoryRuns, MemoryWatch

MODEL = '''
"""Linear regression by stochastic gradient descent in NumPy."""

import random
import sys

import numpy as np
from flops_utils.ml_repo_building_blocks import load_dataset

print("this is not for who reads the answers")
{seed}


class ModelManager:
    def __init__(self):
        self.weights = np.zeros(3)
        self.drawn = np.zeros(1)

    def set_model_data(self):
        data = load_dataset()
        data.set_format("numpy")
        self.x, self.y = data["x"], data["y"]
        if {fails}:
            raise ValueError("these rows are wrong")

    def get_model(self):
        return self.weights

    def get_model_parameters(self):
        return [self.weights, self.drawn]

    def set_model_parameters(self, parameters):
        self.weights, self.drawn = parameters

    def fit_model(self):
        {fit}
        for row in np.random.permutation(len(self.x)):
            wrong = self.x[row] @ self.weights - self.y[row]
            self.weights = self.weights - 0.05 * wrong * self.x[row]
        self.drawn = self.drawn + random.random()
        return len(self.x)

    def evaluate_model(self):
        loss = float(np.mean((self.x @ self.weights - self.y) ** 2))
        return loss, 1 / (1 + loss), len(self.x)
'''
QUIET_MODEL = MODEL.replace("np.random.permutation(len(self.x))", "range(len(self.x))").replace(
    "random.random()", "1.0"
)


class Simulated:
    """A folder with a repository and data, and the messages of simulations of it."""

    def __init__(self, folder, model=MODEL, **parts):
        self.folder = folder
        self.text = model
        for name, default in {"seed": "", "fails": "False", "fit": "pass"}.items():
            self.text = self.text.replace("{" + name + "}", parts.get(name, default))
        (folder / "model_manager.py").write_text(self.text)
        (folder / "data").mkdir()

    def with_learners(self, count):
        rng = np.random.default_rng(1)
        for number in range(count):
            x = rng.normal(size=(20 + number, 3))
            table = pa.table({"x": list(x), "y": x @ [1.0, -2.0, 3.0]})
            pq.write_table(table, self.folder / "data" / f"partition-{number:04}.parquet")
        return self

    def sla(self, **changes):
        training = {"training_rounds": 3, **changes.pop("training", {})}
        return {
            "customerID": "ada",
            "ml_repo_url": "https://git.example/r",
            "ml_model_flavor": "sklearn",
            "training_configuration": training,
            **changes,
        }

    def ends(self, clusters=0, processes=2, seed=0, **changes):
        """Simulate; return the exit code and all messages."""
        plan = {
            "sla": self.sla(**changes),
            "data": str(self.folder / "data"),
            "clusters": clusters,
            "processes": processes,
            "seed": seed,
        }
        (self.folder / "plan.json").write_text(json.dumps(plan))
        argv = ["flops_simulator", "plan.json"]
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        output = self.folder / "output.jsonl"
        with output.open("wb") as answers, (self.folder / "errors.log").open("wb") as log:
            ended = forks.start(argv, environment, self.folder, log, answers)
            code = ended.wait(600)
        return code, [json.loads(line) for line in output.read_text().splitlines()]

    def rounds(self, **changes):
        code, messages = self.ends(**changes)
        assert code == ExitCode.DONE, messages
        return [
            (item["cluster"], item["round"], item["loss"])
            for item in messages
            if item["kind"] == "round_completed"
        ]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return Simulated(tmp_path_factory.mktemp("simulated")).with_learners(6)


def test_results_do_not_depend_on_how_many_processes_hold_the_learners(simulated):
    first = simulated.rounds(processes=1)

    assert simulated.rounds(processes=3) == first
    assert simulated.rounds(processes=3, seed=1) != first
    assert [number for _, number, _ in first] == [1, 2, 3]


def test_a_repository_that_seeds_its_generators_draws_by_that(tmp_path):
    seeds = "random.seed(4); np.random.seed(4)"
    seeded = Simulated(tmp_path, seed=seeds).with_learners(3)

    assert seeded.rounds(seed=0) == seeded.rounds(seed=1)


def test_clusters_train_below_a_root(simulated):
    hierarchical = {"mode": "hierarchical", "training_cycles": 2, "training_rounds": 2}

    rounds = simulated.rounds(clusters=2, training=hierarchical)

    assert [(cluster, number) for cluster, number, _ in rounds] == [
        *(("cluster1", 1), ("cluster1", 2), ("cluster2", 1), ("cluster2", 2), ("", 1)),
        *(("cluster1", 1), ("cluster1", 2), ("cluster2", 1), ("cluster2", 2), ("", 2)),
    ]
    assert rounds[-1][2] < rounds[4][2]


def test_privacy_is_as_it_would_be(simulated):
    privacy = {
        "differential_privacy": {
            "clipping_norm": 1.0,
            "noise_multiplier": 3.0,
            "clipping": "learner",
        },
        "secure_aggregation": {},
    }

    code, messages = simulated.ends(privacy=privacy, training={"min_fit_clients": 3}, learners=6)

    spent = [item["epsilon"] for item in messages if item["kind"] == "round_completed"]
    assert code == ExitCode.DONE
    assert len(spent) == 3
    assert spent == sorted(spent)


def test_the_costs_are_reported_at_the_end(simulated):
    _, messages = simulated.ends()

    done = messages[-1]
    assert (done["kind"], done["learners"], done["best"]["round"]) == ("done", 6, 3)
    assert done["memory_bytes"] > 50e6
    assert done["train_seconds"] > 0


def test_learners_that_cannot_begin_are_named_and_done_without(tmp_path):
    some = Simulated(tmp_path, fails="len(self.x) == 21").with_learners(3)

    code, messages = some.ends()

    notices = [item["message"] for item in messages if item["kind"] == "notice"]
    assert code == ExitCode.DONE
    assert messages[-1]["learners"] == 2
    assert notices[0].startswith("learner 2 cannot begin: set_model_data raised ValueError: these")
    assert "model_manager.py" in notices[0]


def test_without_any_the_first_reason_is_the_reason(tmp_path):
    code, messages = Simulated(tmp_path, fails="True").with_learners(2).ends()

    assert code == ExitCode.TOO_FEW_LEARNERS
    assert messages[-1]["kind"] == "failed"
    assert "these rows are wrong" in messages[-1]["reason"]


POOL = """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
        child = context.Process(target=__import__("time").sleep, args=(600,))
        child.start()
        print("child", child.pid, file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def with_children(tmp_path_factory):
    """Simulate FedProx with user code that starts processes; return code, messages, folder."""
    folder = tmp_path_factory.mktemp("children")
    fedprox = {"name": "FedProx", "parameters": {"proximal_mu": 0.1}}
    code, messages = Simulated(folder, fit=POOL.strip()).with_learners(3).ends(strategy=fedprox)
    return code, messages, folder


def test_user_code_may_start_processes_as_in_a_project(with_children):
    code, messages, _ = with_children

    assert code == ExitCode.DONE, messages


def test_processes_that_user_code_leaves_behind_are_ended(with_children):
    lines = (with_children[2] / "errors.log").read_text().splitlines()
    children = [int(line.split()[1]) for line in lines if line.startswith("child ")]

    assert len(children) == 9
    assert not [child for child in children if psutil.pid_exists(child)]


def test_a_notice_of_several_learners_is_reported_once(with_children):
    notices = [item["message"] for item in with_children[1] if item["kind"] == "notice"]

    assert len([text for text in notices if "has no parameter config" in text]) == 1
    assert notices[0].startswith("learner 1: The strategy sends proximal-mu to fit_model")


def test_a_process_that_dies_is_reported(tmp_path):
    dying = Simulated(tmp_path, fit="import os; os._exit(9)").with_learners(2)

    code, messages = dying.ends()

    assert code == ExitCode.USER_CODE_FAILED
    assert messages[-1]["reason"] == "a process with learners ended with exit code 9"


def test_a_learner_that_takes_too_long_ends_it(tmp_path):
    slow = Simulated(tmp_path, fit="import threading; threading.Event().wait(60)").with_learners(2)

    code, messages = slow.ends(round_timeout_seconds=1)

    assert code == ExitCode.USER_CODE_FAILED
    assert "took longer than" in messages[-1]["reason"]


def test_a_real_grid_gives_the_same_to_the_last_bit(tmp_path):
    """Learners in threads over gRPC, whose model draws no random numbers."""
    quiet = Simulated(tmp_path, model=QUIET_MODEL).with_learners(3)
    namespace: dict[str, object] = {}
    exec(compile(quiet.text, "model_manager.py", "exec"), namespace)  # noqa: S102 - our own text
    manager = namespace["ModelManager"]

    class Loaded(manager):
        def __init__(self, file):
            super().__init__()
            table = pq.read_table(file)
            self.x = np.array(table["x"].to_pylist(), np.float32)
            self.y = table["y"].to_numpy().astype(np.float32)

    def learn(number, port):
        file = tmp_path / "data" / f"partition-{number:04}.parquet"
        app = Training(UserModel(Loaded(file), tmp_path)).client_app()
        return serve_client_app(app, f"127.0.0.1:{port}", f"learner{number + 1}", "token")

    training = training_of(read_project_sla(quiet.sla(learners=3)), 3)
    watch = MemoryWatch()
    with (
        ThreadPoolExecutor(3) as threads,
        StreamGrid("127.0.0.1:0", "token", GridSettings.for_learners(3)) as grid,
    ):
        for number in range(3):
            threads.submit(learn, number, grid.port)
        grid.wait_for_learners(3, 30)
        model = UserModel(manager(), tmp_path)
        train(training, model, grid, watch, Place(), MemoryRuns(), lambda _: None)

    real = [("", item.round, item.loss) for item in watch.completed]
    assert quiet.rounds(learners=3) == real
