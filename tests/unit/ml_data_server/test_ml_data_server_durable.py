"""One sync for many: callers learn that their data are on disk, or that they are not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from flops_ml_data_server.storage.durable import GroupSync
from support.waiting import until


class Disk:
    """A disk whose syncs last until they may end; it notes what was written when each began."""

    def __init__(self):
        self.written = 0
        self.safe = 0
        self.syncs = 0
        self.is_broken = False
        self.may_end = threading.Event()
        self.may_end.set()

    def sync(self):
        self.syncs += 1
        seen = self.written
        assert self.may_end.wait(10)
        if self.is_broken:
            raise OSError("input/output error")
        self.safe = seen


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def sync(disk):
    return GroupSync(disk.sync)


def test_alone_it_is_an_ordinary_sync(disk, sync):
    for number in range(1, 4):
        disk.written = number
        sync()
        assert disk.safe == number

    assert disk.syncs == 3


def test_all_who_wait_share_the_sync_that_began_after_they_wrote(disk, sync):
    disk.may_end.clear()
    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(sync)
        until(lambda: disk.syncs == 1, what="a sync is under way")
        disk.written = 7
        others = [threads.submit(lambda: (sync(), disk.safe)[1]) for _ in range(19)]
        disk.may_end.set()
        first.result(300)

        # Nobody believed the sync that was under way before they wrote.
        assert [other.result(300) for other in others] == [7] * 19
    assert disk.syncs <= 3


def test_nobody_believes_in_a_sync_that_failed_for_another(disk, sync):
    disk.may_end.clear()
    disk.is_broken = True
    with ThreadPoolExecutor(10) as threads:
        first = threads.submit(sync)
        until(lambda: disk.syncs == 1, what="a sync is under way")
        others = [threads.submit(sync) for _ in range(9)]
        disk.may_end.set()

        for waiting in (first, *others):
            with pytest.raises(OSError, match="input/output"):
                waiting.result(300)

    disk.is_broken = False
    sync()


def test_no_thread_ever_returns_too_early(disk, sync):
    lock = threading.Lock()
    too_early = []

    def write():
        for _ in range(200):
            with lock:
                disk.written += 1
                mine = disk.written
            sync()
            if disk.safe < mine:
                too_early.append(mine)

    with ThreadPoolExecutor(8) as threads:
        for _ in range(8):
            threads.submit(write)

    assert too_early == []
    assert disk.safe == 1600
