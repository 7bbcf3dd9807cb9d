"""Aggregator and learners as processes: a real broker, real Flower, real MLflow on SQLite."""

import pickle
import socket

import numpy as np
import pytest

from flops_contracts.events import Kind
from flops_contracts.exit_codes import ExitCode
from support.waiting import until

mlflow = pytest.importorskip("mlflow")


@pytest.fixture(scope="module", autouse=True)
def _has_a_store() -> None:
    pytest.importorskip("sqlalchemy", reason="mlflow needs it to keep runs in SQLite")


def test_a_training_ends_with_everybody_done(trained_world):
    assert trained_world.codes == [ExitCode.DONE] * 3


def test_the_result_names_the_registered_model(trained_world):
    (event,) = trained_world.manager.heard(Kind.TRAINED)

    trained = event.payload
    assert (trained.rounds, trained.model_name, trained.model_version) == (2, "clouds-model", "1")
    assert trained.accuracy > 0.9


def test_every_round_is_reported_with_a_row_for_each_learner(trained_world):
    rounds = [event.payload for event in trained_world.manager.heard(Kind.ROUND_COMPLETED)]

    rows_by_round = [
        (round_.round, [(row.learner, row.samples) for row in round_.learners]) for round_ in rounds
    ]
    rows = [("learner1", 100), ("learner2", 100)]
    assert rows_by_round == [(1, rows), (2, rows)]


def test_learners_report_their_training(trained_world):
    finished = [event.payload for event in trained_world.manager.heard(Kind.FINISHED)]

    assert [(item.rounds, item.samples) for item in finished] == [(2, 100)] * 2


def test_the_model_can_be_loaded_and_predicts(trained_world, monkeypatch):
    monkeypatch.chdir(trained_world.folder)
    mlflow.set_tracking_uri(trained_world.mlflow_url)
    (event,) = trained_world.manager.heard(Kind.TRAINED)

    model = mlflow.pyfunc.load_model(event.payload.model_uri)

    assert model.predict(np.array([[0, 0, 0], [3, 3, 3]])).tolist() == [0, 1]


def test_mlflow_has_one_run_with_a_step_for_each_round(trained_world):
    url = trained_world.mlflow_url
    client = mlflow.MlflowClient(url, registry_uri=url)
    (event,) = trained_world.manager.heard(Kind.TRAINED)
    run = client.get_run(event.payload.run_id)

    steps = [point.step for point in client.get_metric_history(run.info.run_id, "accuracy")]
    assert steps == [1, 2]
    assert run.info.status == "FINISHED"
    assert run.data.params["strategy"] == "FedAvg"


def test_mlflow_has_the_machine_beside_the_rounds(trained_world):
    client = mlflow.MlflowClient(trained_world.mlflow_url)
    (event,) = trained_world.manager.heard(Kind.TRAINED)
    metrics = client.get_run(event.payload.run_id).data.metrics

    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100
    assert 50 < metrics["system/process_memory_megabytes"] < 5_000


def test_the_registered_version_is_the_champion(trained_world):
    url = trained_world.mlflow_url
    client = mlflow.MlflowClient(url, registry_uri=url)
    (event,) = trained_world.manager.heard(Kind.TRAINED)

    champion = client.get_model_version_by_alias("clouds-model", "champion")

    assert champion.run_id == event.payload.run_id


def test_a_fit_that_raises_everywhere_ends_the_training_with_file_and_line(world):
    world.write_model(fit="raise ValueError('these are not digits')")

    aggregator, *learners = world.start_training()

    assert aggregator.wait(300) == ExitCode.USER_CODE_FAILED
    failure = world.manager.heard(Kind.FAILED)[0].payload
    assert "fit_model raised ValueError: these are not digits" in failure.reason
    assert failure.where.startswith("model_manager.py:")
    assert [process.wait(300) for process in learners] == [ExitCode.DONE] * 2


def test_a_learner_without_a_model_manager_says_so(world):
    learner = world.start("learner", "learner1")

    assert learner.wait(300) == ExitCode.USER_CODE_FAILED
    assert "no module model_manager" in world.manager.heard(Kind.FAILED)[0].payload.reason


def test_data_that_cannot_be_loaded_fail_the_learner_with_file_and_line(world):
    world.write_model()
    learner = world.start("learner", "learner1", SEED="letters")

    assert learner.wait(300) == ExitCode.USER_CODE_FAILED
    failure = world.manager.heard(Kind.FAILED)[0].payload
    assert failure.reason.startswith("set_model_data raised ValueError")
    assert failure.where.startswith("model_manager.py:")
    # Nobody is at the node's data server who could say that the lines may leave.
    assert failure.last_lines == ()


def test_an_aggregator_whose_port_is_taken_names_its_setting(world):
    world.write_model()
    with socket.create_server(("127.0.0.1", world.port)):
        aggregator = world.start("aggregator", "aggregator")

        assert aggregator.wait(300) == ExitCode.BAD_SETTINGS
    failure = world.manager.heard(Kind.FAILED)[0].payload
    assert f"cannot listen on 127.0.0.1:{world.port}" in failure.reason
    assert "set FLOPS_GRID_PORT" in failure.hint


def test_an_aggregator_without_learners_gives_up_and_says_who_came(world):
    world.write_model()
    aggregator = world.start("aggregator", "aggregator", FLOPS_JOIN_TIMEOUT_SECONDS="0.5")

    assert aggregator.wait(300) == ExitCode.TOO_FEW_LEARNERS
    failure = world.manager.heard(Kind.FAILED)[0].payload
    assert failure.reason == "0 of at least 2 learners joined within 0.5 s: nobody"


def test_a_tracking_server_that_never_answers_is_named(world):
    world.write_model()
    away = {"FLOPS_MLFLOW_URL": "http://127.0.0.1:9", "FLOPS_MLFLOW_TIMEOUT_SECONDS": "0.1"}

    aggregator, *_ = world.start_training(**away)

    assert aggregator.wait(300) == ExitCode.TRACKING_UNREACHABLE
    reasons = [event.payload.reason for event in world.manager.heard(Kind.FAILED)]
    assert any("no MLflow server at http://127.0.0.1:9" in reason for reason in reasons)


def test_a_learner_that_is_killed_costs_nothing_while_the_minima_are_met(world):
    world.write_model(
        fit="import os, signal; os.environ['SEED'] == '2' and os.kill(os.getpid(), 9)"
    )
    minima = {"FLOPS_MIN_FIT_CLIENTS": "1", "FLOPS_MIN_EVALUATE_CLIENTS": "1"}

    aggregator, *_ = world.start_training(**minima, FLOPS_MIN_AVAILABLE_CLIENTS="1")

    assert aggregator.wait(300) == ExitCode.DONE
    rows = world.manager.heard(Kind.ROUND_COMPLETED)[0].payload.learners
    assert [bool(row.error) for row in rows] == [False, True]
    assert world.manager.heard(Kind.LEARNER_LEFT)[0].payload.learner == "learner2"


def test_an_aggregator_that_is_killed_goes_on_after_its_checkpoint(world, trained_world):
    """The learners' second fit waits, so that the first round is kept and the second is not."""
    world.write_model(
        fit="import pathlib, threading; self.fits = getattr(self, 'fits', 0) + 1; "
        "self.fits == 2 and list(iter(lambda: pathlib.Path('go').exists() "
        "or threading.Event().wait(0.1), True))"
    )
    aggregator, *learners = world.start_training()
    until(lambda: [*world.folder.glob("mlruns/**/checkpoints/*.json")], 100, "a checkpoint")

    aggregator.kill()
    aggregator.wait(300)
    (world.folder / "go").touch()
    again = world.start("aggregator", "aggregator")
    codes = [again.wait(300), *[learner.wait(300) for learner in learners]]

    url = world.mlflow_url
    client = mlflow.MlflowClient(url, registry_uri=url)
    (event,) = world.manager.heard(Kind.TRAINED)
    (same,) = trained_world.manager.heard(Kind.TRAINED)
    steps = [item.step for item in client.get_metric_history(event.payload.run_id, "accuracy")]
    assert codes == [ExitCode.DONE] * 3
    assert [message.payload.round for message in world.manager.heard(Kind.ROUND_COMPLETED)] == [
        1,
        2,
    ]
    assert steps == [1, 2]
    assert len(client.search_runs([event.payload.experiment_id])) == 1
    assert parameters_of(world) == parameters_of(trained_world)
    assert (event.payload.loss, event.payload.best_round) == (
        same.payload.loss,
        same.payload.best_round,
    )
    assert not [*world.folder.glob("mlruns/**/checkpoints/*.json")]


def parameters_of(world):
    """Return what the registered model predicts by, to the last bit."""
    (file,) = world.folder.glob("mlruns/**/model.pkl")
    model = pickle.loads(file.read_bytes())  # noqa: S301 - our own file
    return model.coef_.tolist(), model.intercept_.tolist()


def test_actors_that_are_asked_to_end_do_so_in_time(world):
    world.write_model(fit="import threading; threading.Event().wait(60)")
    processes = world.start_training()
    until(lambda: world.manager.heard(Kind.ROUND_STARTED), 60, "a round begins")

    # Learners first: one that does not work yet would follow its aggregator's goodbye instead.
    for process in reversed(processes):
        process.terminate()

    assert [process.wait(300) for process in processes] == [ExitCode.TERMINATED] * 3
