"""Processes with learners; each replies to one message at a time, in order."""

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from flops_learner.training import NullListener, Training, freeze_existing_objects
from flops_simulator import generators
from flops_utils import data_source

END_SECONDS: Final = 5.0

Noticed = Callable[[int, str], None]
"""Called with the number of a learner, and something that its user should know."""


class WorkerError(FlopsError):
    """A process with learners ended, or one of them takes too long."""

    exit_code = ExitCode.USER_CODE_FAILED


@dataclass(frozen=True)
class Share:
    """The learners of a process: their data by number, and their settings."""

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

    def __init__(
        self,
        data: Sequence[Path],
        processes: int,
        privacy: Privacy,
        seed: int,
        noticed: Noticed,
    ) -> None:
        self._count = max(1, min(processes, len(data)))
        self._shares = [
            Share(dict(islice(enumerate(data), number, None, self._count)), privacy, seed)
            for number in range(self._count)
        ]
        self._noticed = noticed
        self._workers: list[_Worker] = []
        self.moved = Moved()

    def __enter__(self) -> Self:
        # The packages are imported once; user code, which may start threads, only in the workers.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__, "datasets"])
        try:
            for share in self._shares:
                ours, theirs = context.Pipe()
                # Not as a daemon, which may not have processes of its own: user code starts some.
                process = context.Process(target=work, args=(theirs, share))
                process.start()
                theirs.close()
                self._workers.append(_Worker(process, ours))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for worker in self._workers:
            with suppress(OSError):
                worker.line.close()
        end = time.monotonic() + END_SECONDS
        for worker in self._workers:
            worker.process.join(max(0, end - time.monotonic()))
            if worker.process.is_alive():
                _kill(worker.process)

    def load(self, timeout_seconds: float) -> dict[int, LearnerError]:
        """Wait until every learner has its model and data; return those that could not, and why."""
        failed: dict[int, LearnerError] = {}
        for worker in self._workers:
            errors: dict[int, str] = self._received(worker, timeout_seconds, "its data")
            failed |= {number: LearnerError.from_text(text) for number, text in errors.items()}
        return failed

    def memory_bytes(self) -> int:
        """Return the memory of all processes together, in bytes."""
        return sum(psutil.Process(worker.process.pid).memory_info().rss for worker in self._workers)

    def answers(
        self, messages: Sequence[tuple[int, Message]], timeout_seconds: float
    ) -> Iterator[Message]:
        """Give the replies in the order of ``messages``; each process has one at a time."""
        waiting: list[list[tuple[int, Message]]] = [[] for _ in self._workers]
        for number, message in messages:
            waiting[number % self._count].append((number, message))
        queues = [iter(queue) for queue in waiting]
        for worker, queue in zip(self._workers, queues, strict=True):
            self._send_next(worker, queue)
        for number, _ in messages:
            worker, queue = self._workers[number % self._count], queues[number % self._count]
            reply = self._reply(worker, timeout_seconds, number)
            self._send_next(worker, queue)
            yield reply

    def _send_next(self, worker: _Worker, queue: Iterator[tuple[int, Message]]) -> None:
        for number, message in islice(queue, 1):
            try:
                worker.line.send(number)
                self.moved += Moved(down=_send(worker.line, worker.sender, message))
            except OSError as error:
                raise _ended(worker) from error

    def _reply(self, worker: _Worker, timeout_seconds: float, number: int) -> Message:
        who = f"learner {number + 1}"
        for notice in self._received(worker, timeout_seconds, who):
            self._noticed(number, notice)
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


def _kill(process: BaseProcess) -> None:
    """Kill a process with those that its user code started."""
    with suppress(psutil.Error):
        for descendant in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                descendant.kill()
    process.kill()
    process.join(END_SECONDS)


def _ended(worker: _Worker) -> WorkerError:
    worker.process.join(END_SECONDS)
    return WorkerError(
        f"a process with learners ended with exit code {worker.process.exitcode}",
        hint="Its last lines are above. If memory is short, simulate fewer learners.",
    )


def _send(line: Connection, sender: Sender, message: Message) -> int:
    size = 0
    for frame in sender.frames(message):
        line.send_bytes(frame)
        size += len(frame)
    return size


def work(line: Connection, share: Share) -> None:
    """Hold learners in this process, until the line is cut."""
    # The output of user code must not mix with the simulation's.
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
            reply, notices = learners.answer(number, message)
            line.send(notices)
            _send(line, sender, reply)
    # Python would wait for them, and nobody needs their results any more.
    for child in multiprocessing.active_children():
        child.kill()


class _Notes(NullListener):
    """Keeps a learner's notices until they are taken."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def raised(self, text: str) -> None:
        """Keep the traceback."""
        self._texts.append(text)

    def noticed(self, text: str) -> None:
        """Keep it."""
        self._texts.append(text)

    def taken(self) -> list[str]:
        """Return what was kept since the last call."""
        texts, self._texts = self._texts, []
        return texts


class _Learners:
    """The learners of one process, made one after the other."""

    def __init__(self, share: Share) -> None:
        self.failed: dict[int, LearnerError] = {}
        self._data = share.data
        self._apps: dict[int, tuple[ClientApp, generators.Generators]] = {}
        self._notes = _Notes()
        seeded = _imported(share.seed)
        for number in share.data:
            own = generators.Generators(seeded or generators.seeded(share.seed + 1 + number))
            try:
                with own.in_use():
                    model = self._model(number)
            except FlopsError as error:
                self.failed[number] = LearnerError.from_exception(error)
            else:
                app = Training(model, self._notes, privacy=share.privacy).client_app()
                self._apps[number] = (app, own)
        freeze_existing_objects()

    def answer(self, number: int, message: Message) -> tuple[Message, list[str]]:
        """Return a learner's reply and its notices."""
        app, own = self._apps[number]
        data_source.use(data_source.FileSource(self._data[number]))
        with own.in_use():
            reply = run_app(app, message)
        return reply, self._notes.taken()

    def _model(self, number: int) -> UserModel:
        data_source.use(data_source.FileSource(self._data[number]))
        model = load_user_model()
        model.load_data()
        return model


def _imported(seed: int) -> generators.State | None:
    """Import the repository; return where its generators begin if it seeds them by that."""
    generators.seed(seed)
    before = generators.state()
    # Errors are reported when its model is created.
    with suppress(Exception, SystemExit):
        importlib.import_module(MODULE)
    after = generators.state()
    return after if generators.is_seeded(before, after) else None
