"""The traffic of all lines is summed up, and reported frame by frame."""

from flops_grid.server.traffic import Moved, Traffic


def test_frames_pass_unchanged_and_are_summed_up():
    traffic = Traffic()

    down = list(traffic.counted_down(iter([b"abc", b"d"])))
    up = list(traffic.counted_up(iter([b"ef"])))

    assert (down, up) == ([b"abc", b"d"], [b"ef"])
    assert traffic.moved() == Moved(down=4, up=2)


def test_every_frame_is_reported():
    heard = []
    traffic = Traffic(heard.append)

    list(traffic.counted_down(iter([b"abc", b"d"])))
    list(traffic.counted_up(iter([b"ef"])))

    assert heard == [Moved(down=3), Moved(down=1), Moved(up=2)]
