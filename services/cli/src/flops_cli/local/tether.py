"""Run another program that ends when the process that started it ends.

``python -I -S tether.py <parent's pid> <program> <argument>...``: a program, because code between
fork and exec is not safe in a process with threads. Linux sends SIGTERM when the parent ends.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Request the signal, then replace this process by ``argv``."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request
        sys.exit(143)
    os.execvp(argv[0], argv)  # noqa: S606 - on purpose without a shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
