"""Learners in threads that give back what they get, and what to send them."""

from concurrent.futures import Executor, Future

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp

from flops_grid.client.app import serve_client_app
from flops_grid.client.link import Ended
from flops_grid.server.connections import node_id_of
from flops_grid.server.grid import StreamGrid
from flops_grid.wire.settings import LinkSettings
from flops_grid.wire.tls import TlsFiles

TOKEN = "for-this-test"
QUICK = LinkSettings(
    unreachable_seconds=3, connect_seconds=2, first_pause_seconds=0.05, keepalive_seconds=1
)


def an_echo() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, _context: Context) -> Message:
        return Message(RecordDict({"arrays": message.content["arrays"]}), reply_to=message)

    return app


def a_message(grid: StreamGrid, name: str, floats: int = 1) -> Message:
    arrays = ArrayRecord([np.arange(floats, dtype=np.float32)])
    content = RecordDict({"arrays": arrays})
    return grid.create_message(content, MessageType.TRAIN, node_id_of(name), "")


def join(
    threads: Executor,
    port: int,
    name: str,
    tls: TlsFiles | None = None,
    app: ClientApp | None = None,
) -> Future[Ended]:
    """Start a learner that dials ``port``."""
    address = f"127.0.0.1:{port}"
    return threads.submit(serve_client_app, app or an_echo(), address, name, TOKEN, QUICK, tls)
