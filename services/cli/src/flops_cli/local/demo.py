"""The demo: the base case of the manuals, over the same API that users call."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flops_cli.client import FlopsClient
from flops_cli.errors import LocalSuiteError
from flops_cli.local.demo_plans import HELD_OUT_TAG, NUMERALS, TAG, Plan
from flops_cli.local.held_out import Samples, fetch_samples, predict
from flops_cli.local.places import Places
from flops_cli.local.pooled import PooledTraining, gather, train_pooled
from flops_cli.local.suite import Suite
from flops_cli.local.summary import Outcome
from flops_cli.results import Mock, Project
from flops_cli.screen import Screen
from flops_cli.watching import require_success, watch_mock, watch_project

SHOWN_SAMPLES: Final = 10
MOCK_SECONDS: Final = 120.0


@dataclass(frozen=True)
class DemoWorld:
    """The surroundings of a demo. ``state`` is its folder, ``repository`` a git URL."""

    places: Places
    suite: Suite
    client: FlopsClient
    customer_id: str
    state: Path
    repository: str
    plan: Plan


class Demo:
    """Runs the steps one after the other."""

    def __init__(
        self, world: DemoWorld, screen: Screen, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._world = world
        self._screen = screen
        self._clock = clock

    def run(self) -> Outcome:
        """Run the demo; raise a ``ClientError`` with the reason if a step fails."""
        began = self._clock()
        mock = self._provide_data()
        held_out = self._client.submit_mock(self._plan.held_out_sla(self._customer_id))
        data_seconds = self._clock() - began
        project = self._train()
        self._await_mock(held_out)
        samples = fetch_samples(self._data_server, HELD_OUT_TAG)
        accuracy = self._ask_the_model(project, samples)
        self._step("Compare with the same training on the pooled data")
        training = PooledTraining(
            images=self._world.places.images,
            learner_image=project.images.learner if project.images else "",
            data_server=self._data_server,
            data_tag=self._gathered(),
            fits=self._plan.fits,
        )
        self._screen.bar("pooled", f"{training.fits} fits on all rows in one process")
        pooled = train_pooled(training, samples, self._world.state)
        self._screen.drop_bars()
        return Outcome(
            project=project,
            mock=mock,
            held_out=len(samples.labels),
            accuracy=accuracy,
            pooled=pooled,
            fits=training.fits,
            tracking=self._client.tracking().url,
            network=self._world.suite.network,
            data_seconds=data_seconds,
            seconds=self._clock() - began,
        )

    @property
    def _plan(self) -> Plan:
        return self._world.plan

    @property
    def _client(self) -> FlopsClient:
        return self._world.client

    @property
    def _customer_id(self) -> str:
        return self._world.customer_id

    @property
    def _data_server(self) -> str:
        return self._world.suite.network.data_server(1)

    def _provide_data(self) -> Mock:
        plan = self._plan
        where = f", spread over {NUMERALS[plan.nodes]} nodes" if plan.nodes > 1 else ""
        what = f"4,500 handwritten digits in {NUMERALS[plan.partitions]} fragments{where}"
        self._step(f"Provide data: {what}")
        mock_id = self._client.submit_mock(plan.data_sla(self._customer_id))
        self._screen.say(f"POST /api/flops/mocks -> {mock_id}")
        mock = self._await_mock(mock_id)
        for fragment in mock.fragments:
            self._screen.say(f"  {fragment.name}  {fragment.rows} rows")
        return mock

    def _await_mock(self, mock_id: str) -> Mock:
        clock = threading.Event()
        end = self._clock() + MOCK_SECONDS

        def pause() -> None:
            if self._clock() > end:
                raise LocalSuiteError(
                    f"mock {mock_id} did not finish in {MOCK_SECONDS:.0f} s",
                    f"See the logs in {self._world.suite.logs}.",
                )
            self._world.suite.require_alive()
            clock.wait(0.3)

        return watch_mock(self._client, mock_id, self._screen, pause)

    def _gathered(self) -> str:
        """Return the tag of all data on the first node, for the comparison."""
        if self._plan.nodes == 1:
            return TAG
        network = self._world.suite.network
        servers = [network.data_server(node + 1) for node in range(self._plan.nodes)]
        return gather(servers, TAG)

    def _train(self) -> Project:
        self._step(self._plan.story)
        project_id = self._client.submit_project(
            self._plan.project_sla(self._customer_id, self._world.repository)
        )
        self._screen.say(f"POST /api/flops/projects -> {project_id}")
        project = watch_project(self._client, project_id, self._screen)
        require_success(project)
        return project

    def _ask_the_model(self, project: Project, samples: Samples) -> float:
        self._step(f"Ask the served model about {len(samples.labels)} digits that no learner had")
        self._screen.say(f"POST {project.model_url}/invocations")
        predictions = predict(project.model_url, samples.inputs)
        step = max(1, len(predictions) // SHOWN_SAMPLES)
        shown = list(zip(predictions, samples.labels, strict=True))[::step][:SHOWN_SAMPLES]
        rows = [
            ["predicted", *(str(prediction) for prediction, _ in shown)],
            ["is", *(str(label) for _, label in shown)],
            ["", *("ok" if prediction == label else "wrong" for prediction, label in shown)],
        ]
        self._screen.table(
            "", ["sample", *(str(index * step) for index in range(len(shown)))], rows
        )
        return samples.accuracy_of(predictions)

    def _step(self, title: str) -> None:
        self._screen.say("")
        self._screen.say(title, "bold")
