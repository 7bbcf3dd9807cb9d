from flops_runtime.recent_events import RecentEvents


def test_the_newest_events_that_fit_are_kept_in_order():
    recent = RecentEvents(kept_bytes=10)

    for data in (b"aaaa", b"bbbb", b"cc"):
        recent.keep(data)
    assert recent.all() == (b"aaaa", b"bbbb", b"cc")

    recent.keep(b"d")

    assert recent.all() == (b"bbbb", b"cc", b"d")


def test_the_newest_is_kept_however_large_it_is():
    recent = RecentEvents(kept_bytes=10)
    recent.keep(b"small")

    recent.keep(b"larger than all")

    assert recent.all() == (b"larger than all",)

    recent.keep(b"small")

    assert recent.all() == (b"small",)
