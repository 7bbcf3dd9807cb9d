"""A TCP connection between two peers that a test can break."""

import contextlib
import socket
import threading
from dataclasses import dataclass, field


@dataclass
class BreakableLine:
    """Forwards TCP to ``target``; ``cut`` breaks what is open, ``freeze`` stops forwarding.

    While it ``is_down``, nothing new is let through.
    """

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    open: list[socket.socket] = field(default_factory=list)
    flowing: threading.Event = field(default_factory=threading.Event)
    is_down: bool = False

    @property
    def port(self) -> int:
        """Return where to connect to instead."""
        return self.listener.getsockname()[1]

    def start(self) -> None:
        self.flowing.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        ended, self.open = self.open, []
        for item in ended:
            _shut(item)

    def freeze(self) -> None:
        self.flowing.clear()

    def close(self) -> None:
        self.flowing.set()
        _shut(self.listener)
        self.cut()

    def _accept(self) -> None:
        try:
            while True:
                near, _ = self.listener.accept()
                if self.is_down:
                    _shut(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self.target))
                self.open += [near, far]
                threading.Thread(target=self._forward, args=(near, far), daemon=True).start()
                threading.Thread(target=self._forward, args=(far, near), daemon=True).start()
        except OSError:
            return

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        except OSError:
            return
        finally:
            _shut(source)
            _shut(sink)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
