"""Secure sums: exact for those who are left, closed for everybody else."""

import random
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flops_grid.secure.client import RefusedError, SecureClient
from flops_grid.secure.fixed_point import from_steps, steps_for, to_steps
from flops_grid.secure.graph import NEIGHBOURS, PublicKeys, ShareGraph
from flops_grid.secure.masks import add_mask, agreed_key
from flops_grid.secure.server import SecureServer, TooFewClientsError
from flops_grid.secure.shamir import SHARE_BYTES, combine, split

SECRET = bytes(range(32))


@dataclass
class Sum:
    """One aggregation of ``size`` members; who is lost before which step."""

    size: int
    part: float = 2 / 3
    lost: dict[str, set[int]] = field(default_factory=dict)
    numbers: int = 50

    def __post_init__(self):
        self.members = [SecureClient(self.part) for _ in range(self.size)]
        self.keys = [one.keys for one in self.members]
        self.leader = SecureServer(self.keys, self.part)
        rng = np.random.default_rng(self.size)
        self.values = rng.integers(0, 2**32, (self.size, self.numbers), dtype=np.uint32)
        self.hidden: dict[int, np.ndarray] = {}

    def left(self, among, step):
        return [one for one in among if one not in self.lost.get(step, ())]

    def shared(self):
        sharing = self.left(range(self.size), "share")
        return self.leader.route_shares(
            {one: self.members[one].share(self.keys) for one in sharing}
        )

    def summed(self):
        route_shares = self.shared()
        alive = self.left(route_shares, "mask")
        for one in alive:
            self.hidden[one] = self.values[one].copy()
            # Cut in two: the numbers of a mask do not depend on that.
            self.members[one].mask(route_shares[one], [self.hidden[one][:7], self.hidden[one][7:]])
        self.leader.check_survivors(set(alive))
        opening = self.left(alive, "open")
        shares = {one: self.members[one].reveal(alive) for one in opening}
        total = sum(self.hidden.values()).astype(np.uint32)
        self.leader.unmask(set(alive), shares, [total])
        return total, self.values[alive].sum(axis=0, dtype=np.uint32)


@pytest.mark.parametrize("size", [4, 7])
@pytest.mark.parametrize("step", ["nobody", "share", "mask", "open"])
def test_the_sum_is_exact_whenever_one_is_lost(size, step):
    total, expected = Sum(size, part=0.51, lost={step: {1}}).summed()

    np.testing.assert_array_equal(total, expected)


def test_several_may_be_lost_at_several_steps():
    total, expected = Sum(
        12, part=0.55, lost={"share": {0}, "mask": {5, 11}, "open": {2, 3}}
    ).summed()

    np.testing.assert_array_equal(total, expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 9), st.randoms(use_true_random=False))
def test_whoever_is_lost_the_sum_is_exact_or_stays_closed(size, chance):
    steps = ["share", "mask", "open"]
    lost = {step: {one for one in range(size) if chance.random() < 0.15} for step in steps}

    with suppress(TooFewClientsError):
        np.testing.assert_array_equal(*Sum(size, lost=lost).summed())


@pytest.mark.parametrize(("step", "told"), [("share", 3), ("mask", 3), ("open", 2)])
def test_below_the_threshold_it_stays_closed(step, told):
    with pytest.raises(TooFewClientsError, match=f"1 of at least {told} learners"):
        Sum(3, lost={step: {0, 2}}).summed()


@pytest.mark.parametrize("step", ["share", "mask"])
def test_a_sum_of_two_stays_closed_whatever_the_threshold(step):
    with pytest.raises(TooFewClientsError, match="2 of at least 3 learners"):
        Sum(3, part=0.51, lost={step: {1}}).summed()


def test_three_that_are_all_in_the_sum_may_lose_one_when_it_is_opened():
    np.testing.assert_array_equal(*Sum(3, lost={"open": {1}}).summed())


def test_two_cannot_make_a_secure_sum():
    with pytest.raises(TooFewClientsError, match="needs 3 learners, there are 2"):
        SecureServer([SecureClient(0.6).keys for _ in range(2)], 0.6)


def test_what_one_sends_looks_like_chance():
    one = Sum(3, numbers=100_000)
    one.values[:] = 0
    one.summed()

    for hidden in one.hidden.values():
        counts = np.bincount(hidden.view(np.uint8), minlength=256)
        expected = hidden.nbytes / 256
        # 255 degrees of freedom: above 400 once in 10^8 times.
        assert ((counts - expected) ** 2 / expected).sum() < 400


def test_many_members_have_so_many_neighbours_at_most():
    size = NEIGHBOURS + 20
    one = Sum(
        size, part=0.6, numbers=10, lost={"mask": set(random.Random(1).sample(range(size), 9))}
    )

    total, expected = one.summed()

    np.testing.assert_array_equal(total, expected)
    assert len(ShareGraph(size, 0.6).holders(3)) == NEIGHBOURS + 1


@pytest.mark.parametrize("size", [3, 10, 129, 130, 1000])
def test_members_of_a_circle_hold_each_others_shares(size):
    circle = ShareGraph(size, 2 / 3)

    for member in range(0, size, max(1, size // 20)):
        holders = circle.holders(member)
        assert member in holders
        assert all(member in circle.holders(one) for one in holders)
        assert len(holders) / 2 < circle.threshold <= len(holders)


def in_the_middle(size=4):
    """Return members that gave their shares, and what was passed on."""
    one = Sum(size)
    return one, one.shared()


def test_a_member_refuses_a_list_that_is_not_everybodys():
    keys = [SecureClient(0.6).keys for _ in range(3)]

    with pytest.raises(RefusedError, match="missing from the client list"):
        SecureClient(0.6).share(keys)
    member = SecureClient(0.6)
    with pytest.raises(RefusedError, match="same key"):
        member.share([member.keys, keys[0], keys[0]])
    with pytest.raises(RefusedError, match="same key"):
        member.share([member.keys, keys[0], PublicKeys(keys[1].seal, member.keys.mask)])
    with pytest.raises(RefusedError, match="too few"):
        member.share([member.keys, keys[0]])


def test_a_member_gives_its_shares_once():
    one, _ = in_the_middle()

    with pytest.raises(RefusedError, match="before"):
        one.members[0].share(one.keys)


def test_a_broken_seal_is_refused_and_nothing_is_hidden_twice():
    one, route_shares = in_the_middle()
    numbers = [np.zeros(3, np.uint32)]
    broken = {**route_shares[0], 1: route_shares[0][1][:-1] + bytes([route_shares[0][1][-1] ^ 1])}

    for boxes in (broken, {**route_shares[0], 1: b""}, {**route_shares[0], 1: route_shares[0][2]}):
        with pytest.raises(RefusedError, match="member 1 sealed"):
            one.members[0].mask(boxes, numbers)
    np.testing.assert_array_equal(numbers[0], 0)
    one.members[0].mask(route_shares[0], numbers)
    with pytest.raises(RefusedError, match="once"):
        one.members[0].mask(route_shares[0], numbers)


def test_shares_for_another_are_refused():
    one, route_shares = in_the_middle()

    with pytest.raises(RefusedError, match="member 1 sealed"):
        one.members[0].mask({**route_shares[0], 1: route_shares[2][1]}, [])
    with pytest.raises(RefusedError, match="hold none"):
        one.members[0].mask({**route_shares[0], 9: b""}, [])


def test_a_member_hides_among_enough_only():
    one, route_shares = in_the_middle()

    with pytest.raises(RefusedError, match="too few to hide among"):
        one.members[0].mask({1: route_shares[0][1]}, [])
    with pytest.raises(RefusedError, match="too few to hide among"):
        one.members[0].mask({}, [])


def test_a_member_never_opens_both_secrets_of_one():
    one, route_shares = in_the_middle()
    for number, member in enumerate(one.members):
        member.mask(route_shares[number], [np.zeros(1, np.uint32)])

    shares = one.members[0].reveal([0, 1, 2])

    assert set(shares) == {0, 1, 2, 3}
    assert {len(share) for share in shares.values()} == {SHARE_BYTES}
    with pytest.raises(RefusedError, match="once"):
        one.members[0].reveal([0, 2, 3])


def test_a_member_opens_nothing_for_a_sum_of_few_or_without_its_own():
    one, route_shares = in_the_middle()
    with pytest.raises(RefusedError, match="after the numbers were hidden"):
        one.members[0].reveal([0, 1, 2])
    one.members[0].mask(route_shares[0], [])

    with pytest.raises(RefusedError, match="a sum of 2"):
        one.members[0].reveal([0, 1])
    with pytest.raises(RefusedError, match="not named"):
        one.members[0].reveal([1, 2, 3])


def test_shares_that_are_none_are_found_out():
    one = Sum(4, part=0.51, lost={"mask": {3}})
    route_shares = one.shared()
    alive = [0, 1, 2]
    for number in alive:
        one.members[number].mask(route_shares[number], [np.zeros(1, np.uint32)])
    shares = {number: one.members[number].reveal(alive) for number in alive}
    shares[0][3] = (7).to_bytes(SHARE_BYTES)

    with pytest.raises(ValueError, match=r"member 3|one secret"):
        one.leader.unmask(set(alive), shares, [np.zeros(1, np.uint32)])


@given(st.integers(1, 8), st.integers(0, 4), st.binary(min_size=32, max_size=32))
def test_any_so_many_shares_tell_a_secret(threshold, more, secret):
    shares = split(secret, range(threshold + more), threshold)
    some = dict(random.sample(sorted(shares.items()), threshold))

    assert combine(some, threshold) == secret


def test_fewer_shares_tell_nothing():
    shares = split(SECRET, range(5), 3)

    with pytest.raises(ValueError, match="2 of 3"):
        combine({one: shares[one] for one in (0, 1)}, 3)
    assert split(SECRET, range(5), 3) != shares


@pytest.mark.parametrize(
    ("secret", "holders", "threshold"), [(b"short", 3, 2), (SECRET, 3, 4), (SECRET, 3, 0)]
)
def test_a_secret_that_cannot_be_split_is_refused(secret, holders, threshold):
    with pytest.raises(ValueError, match=r"secret has|cannot be needed"):
        split(secret, range(holders), threshold)


def test_both_sides_agree_on_one_key_for_each_purpose():
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
        X25519PrivateKey,
    )

    mine, yours = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    publics = [one.public_key().public_bytes_raw() for one in (mine, yours)]

    assert agreed_key(mine, publics[1], b"a") == agreed_key(yours, publics[0], b"a")
    assert agreed_key(mine, publics[1], b"a") != agreed_key(mine, publics[1], b"b")
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        agreed_key(mine, bytes(32), b"a")


def test_a_stream_is_chacha20s():
    numbers = np.zeros(4, np.uint32)

    add_mask(bytes(32), [numbers])

    # RFC 8439, appendix A.1, test vector 1: an all-zero key and nonce.
    assert numbers.tobytes() == bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28")


def test_a_mask_is_taken_off_as_it_was_put_on_however_the_arrays_are_cut():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 600_000, dtype=np.uint32)
    hidden = values.copy()

    add_mask(SECRET, [hidden.reshape(600, 1000)])
    add_mask(SECRET, [hidden[:250_001], hidden[250_001:]], subtract=True)

    np.testing.assert_array_equal(hidden, values)


@pytest.mark.parametrize("members", [3, 100, 1000])
def test_a_mean_is_as_exact_as_promised(members):
    rng = np.random.default_rng(members)
    bound, steps = 8.0, steps_for(members)
    updates = rng.uniform(-bound, bound, (members, 200))
    weights = rng.uniform(0.1, 1, members)
    total = np.zeros(200, np.uint32)
    for update, weight in zip(updates, weights, strict=True):
        told = np.empty(200, np.uint32)
        assert to_steps(update, bound, weight, steps, told) == 0
        total += told

    mean = from_steps(total, bound, steps) / weights.sum()

    exact = weights @ updates / weights.sum()
    assert np.abs(mean - exact).max() <= members * bound / (2 * steps * weights.sum()) + 1e-12


def test_the_largest_sum_fits():
    steps, told = steps_for(1000), np.empty(2, np.uint32)
    to_steps(np.array([8.0, -8.0]), 8.0, 1.0, steps, told)

    np.testing.assert_allclose(from_steps(told * np.uint32(1000), 8.0, steps), [8000, -8000])


def test_what_is_cut_is_counted():
    told = np.empty(4, np.uint32)

    assert to_steps(np.array([9.0, -8.1, 8.0, 0.0]), 8.0, 1.0, 1000, told) == 2
    np.testing.assert_allclose(from_steps(told, 8.0, 1000), [8, -8, 8, 0])
