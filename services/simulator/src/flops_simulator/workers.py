"""Processes that hold learners; each answers one message at a time, in the order it was asked."""

import importlib
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Self

import psutil
from flwr.app import Message
from flwr.clientapp import ClientApp

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode
from flops_contracts.privacy import Privacy
from flops_grid.client.app import run_app
from flops_grid.errors import LearnerError
from flops_grid.messages.flower_internals import route_logs, take_identity
from flops_grid.server.traffic import Moved
from flops_grid.user_model import MODULE, UserModel, load_user_model
from flops_grid.wire.frames import read_frame
from flops_grid.wire.transfer import Assembler, Sender
from flops_learner.training import Training, leave_out_of_garbage
from flops_simulator import generators
from flops_utils import data_source

END_SECONDS: Final = 5.0


class WorkerError(FlopsError):
    """A process with learners ended, or one of them takes too long."""

    exit_code = ExitCode.USER_CODE_FAILED


@dataclass(frozen=True)
class Share:
    """What a process is told: its learners' data by their numbers, and how to make them."""

    data: Mapping[int, Path]
    privacy: Privacy
    seed: int


@dataclass
class _Worker:
    process: BaseProcess
    line: Connection
    sender: Sender = field(default_factory=Sender)
    assembler: Assembler = field(default_factory=Assembler)


class Workers:
    """Learners 0, 1, 2 ... over a number of processes, which end with the block."""

    def __init__(self, data: Sequence[Path], processes: int, privacy: Privacy, seed: int) -> None:
        self._count = max(1, min(processes, len(data)))
        context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        for number in range(self._count):
            mine = dict(islice(enumerate(data), number, None, self._count))
            ours, theirs = context.Pipe()
            share = Share(mine, privacy, seed)
            process = context.Process(target=work, args=(theirs, share), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))
        self.moved = Moved()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._workers:
            with suppress(OSError):
                one.line.close()
        for one in self._workers:
            one.process.join(END_SECONDS)
            if one.process.is_alive():
                one.process.kill()
                one.process.join(END_SECONDS)

    def load(self, timeout_seconds: float) -> dict[int, LearnerError]:
        """Wait until every learner has its model and data; return those that could not, and why."""
        failed: dict[int, LearnerError] = {}
        for worker in self._workers:
            found: dict[int, str] = self._received(worker, timeout_seconds, "its data")
            failed |= {number: LearnerError.from_text(text) for number, text in found.items()}
        return failed

    def memory_bytes(self) -> int:
        """Return what all of the processes have in memory."""
        return sum(psutil.Process(one.process.pid).memory_info().rss for one in self._workers)

    def answers(
        self, asked: Sequence[tuple[int, Message]], timeout_seconds: float
    ) -> Iterator[Message]:
        """Give the learners' replies in the order of ``asked``: no process has two at once."""
        waiting: list[list[tuple[int, Message]]] = [[] for _ in self._workers]
        for number, message in asked:
            waiting[number % self._count].append((number, message))
        queues = [iter(one) for one in waiting]
        for worker, queue in zip(self._workers, queues, strict=True):
            self._send_next(worker, queue)
        for number, _ in asked:
            worker, queue = self._workers[number % self._count], queues[number % self._count]
            reply = self._reply(worker, timeout_seconds, f"learner {number + 1}")
            self._send_next(worker, queue)
            yield reply

    def _send_next(self, worker: _Worker, queue: Iterator[tuple[int, Message]]) -> None:
        for number, message in islice(queue, 1):
            try:
                worker.line.send(number)
                self.moved += Moved(down=_send(worker.line, worker.sender, message))
            except OSError as error:
                raise _ended(worker) from error

    def _reply(self, worker: _Worker, timeout_seconds: float, who: str) -> Message:
        while True:
            data = self._received(worker, timeout_seconds, who, is_frame=True)
            self.moved += Moved(up=len(data))
            if message := worker.assembler.feed(*read_frame(data)):
                return message

    def _received(
        self, worker: _Worker, timeout_seconds: float, who: str, *, is_frame: bool = False
    ) -> Any:
        try:
            if not worker.line.poll(timeout_seconds):
                raise WorkerError(f"{who} took longer than {timeout_seconds:g} s")
            return worker.line.recv_bytes() if is_frame else worker.line.recv()
        except (EOFError, OSError) as error:
            raise _ended(worker) from error


def _ended(worker: _Worker) -> WorkerError:
    worker.process.join(END_SECONDS)
    return WorkerError(
        f"a process with learners ended with exit code {worker.process.exitcode}",
        hint="Its last lines are above. Is there enough memory? Simulate fewer learners.",
    )


def _send(line: Connection, sender: Sender, message: Message) -> int:
    size = 0
    for frame in sender.frames(message):
        line.send_bytes(frame)
        size += len(frame)
    return size


def work(line: Connection, share: Share) -> None:
    """Hold learners in this process, until the line is cut."""
    # What user code prints is not for who reads the simulation's answers.
    os.dup2(2, 1)
    take_identity()
    route_logs()
    learners = _Learners(share)
    line.send({number: error.to_text() for number, error in learners.failed.items()})
    assembler, sender = Assembler(), Sender()
    with suppress(EOFError, OSError):
        while True:
            number = line.recv()
            message = None
            while message is None:
                message = assembler.feed(*read_frame(line.recv_bytes()))
            reply = learners.answer(number, message)
            _send(line, sender, reply)


class _Learners:
    """The learners of one process, made one after the other."""

    def __init__(self, share: Share) -> None:
        self.failed: dict[int, LearnerError] = {}
        self._data = share.data
        self._apps: dict[int, tuple[ClientApp, generators.Generators]] = {}
        seeded = _imported(share.seed)
        for number in share.data:
            own = generators.Generators(seeded or generators.seeded(share.seed + 1 + number))
            try:
                with own.in_use():
                    model = self._model(number)
            except FlopsError as error:
                self.failed[number] = LearnerError.from_exception(error)
            else:
                app = Training(model, privacy=share.privacy).client_app()
                self._apps[number] = (app, own)
        leave_out_of_garbage()

    def answer(self, number: int, message: Message) -> Message:
        app, own = self._apps[number]
        data_source.use(data_source.FileSource(self._data[number]))
        with own.in_use():
            return run_app(app, message)

    def _model(self, number: int) -> UserModel:
        data_source.use(data_source.FileSource(self._data[number]))
        model = load_user_model()
        model.load_data()
        return model


def _imported(seed: int) -> generators.State | None:
    """Import the repository; return where its generators begin if it seeds them by that."""
    generators.seed(seed)
    before = generators.state()
    # What is wrong with it is told when a model is made of it.
    with suppress(Exception, SystemExit):
        importlib.import_module(MODULE)
    after = generators.state()
    return after if generators.is_seeded(before, after) else None
