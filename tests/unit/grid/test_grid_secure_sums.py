"""Secure sums: exact for the survivors, unreadable for everybody else."""

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
    """One aggregation of ``size`` clients; ``dropouts`` are the clients lost before each step."""

    size: int
    part: float = 2 / 3
    dropouts: dict[str, set[int]] = field(default_factory=dict)
    numbers: int = 50

    def __post_init__(self):
        self.clients = [SecureClient(self.part) for _ in range(self.size)]
        self.keys = [client.keys for client in self.clients]
        self.server = SecureServer(self.keys, self.part)
        rng = np.random.default_rng(self.size)
        self.values = rng.integers(0, 2**32, (self.size, self.numbers), dtype=np.uint32)
        self.masked: dict[int, np.ndarray] = {}

    def left(self, clients, step):
        return [client for client in clients if client not in self.dropouts.get(step, ())]

    def shared(self):
        sharing = self.left(range(self.size), "share")
        return self.server.route_shares(
            {client: self.clients[client].share(self.keys) for client in sharing}
        )

    def summed(self):
        routed = self.shared()
        survivors = self.left(routed, "mask")
        for client in survivors:
            self.masked[client] = numbers = self.values[client].copy()
            # Split in two: a mask does not depend on that.
            self.clients[client].mask(routed[client], [numbers[:7], numbers[7:]])
        self.server.check_survivors(set(survivors))
        revealing = self.left(survivors, "reveal")
        shares = {client: self.clients[client].reveal(survivors) for client in revealing}
        total = sum(self.masked.values()).astype(np.uint32)
        self.server.unmask(set(survivors), shares, [total])
        return total, self.values[survivors].sum(axis=0, dtype=np.uint32)


@pytest.mark.parametrize("size", [4, 7])
@pytest.mark.parametrize("step", ["nobody", "share", "mask", "reveal"])
def test_the_sum_is_exact_at_whichever_step_a_client_drops_out(size, step):
    total, expected = Sum(size, part=0.51, dropouts={step: {1}}).summed()

    np.testing.assert_array_equal(total, expected)


def test_several_clients_may_drop_out_at_several_steps():
    total, expected = Sum(
        12, part=0.55, dropouts={"share": {0}, "mask": {5, 11}, "reveal": {2, 3}}
    ).summed()

    np.testing.assert_array_equal(total, expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 9), st.randoms(use_true_random=False))
def test_with_any_dropouts_the_sum_is_exact_or_stays_masked(size, chance):
    steps = ["share", "mask", "reveal"]
    dropouts = {
        step: {client for client in range(size) if chance.random() < 0.15} for step in steps
    }

    with suppress(TooFewClientsError):
        np.testing.assert_array_equal(*Sum(size, dropouts=dropouts).summed())


@pytest.mark.parametrize(("step", "minimum"), [("share", 3), ("mask", 3), ("reveal", 2)])
def test_below_the_threshold_it_stays_masked(step, minimum):
    with pytest.raises(TooFewClientsError, match=f"1 of at least {minimum} learners"):
        Sum(3, dropouts={step: {0, 2}}).summed()


@pytest.mark.parametrize("step", ["share", "mask"])
def test_a_sum_of_two_stays_masked_whatever_the_threshold(step):
    with pytest.raises(TooFewClientsError, match="2 of at least 3 learners"):
        Sum(3, part=0.51, dropouts={step: {1}}).summed()


def test_of_three_clients_in_the_sum_one_may_drop_out_when_it_is_unmasked():
    np.testing.assert_array_equal(*Sum(3, dropouts={"reveal": {1}}).summed())


def test_two_clients_cannot_make_a_secure_sum():
    with pytest.raises(TooFewClientsError, match="needs 3 learners, there are 2"):
        SecureServer([SecureClient(0.6).keys for _ in range(2)], 0.6)


def test_a_masked_update_looks_random():
    it = Sum(3, numbers=100_000)
    it.values[:] = 0
    it.summed()

    for masked in it.masked.values():
        counts = np.bincount(masked.view(np.uint8), minlength=256)
        expected = masked.nbytes / 256
        # 255 degrees of freedom: above 400 once in 10^8 times.
        assert ((counts - expected) ** 2 / expected).sum() < 400


def test_many_clients_have_a_limited_number_of_neighbours():
    size = NEIGHBOURS + 20
    it = Sum(
        size, part=0.6, numbers=10, dropouts={"mask": set(random.Random(1).sample(range(size), 9))}
    )

    total, expected = it.summed()

    np.testing.assert_array_equal(total, expected)
    assert len(ShareGraph(size, 0.6).holders(3)) == NEIGHBOURS + 1


@pytest.mark.parametrize("size", [3, 10, 129, 130, 1000])
def test_neighbours_hold_each_others_shares(size):
    graph = ShareGraph(size, 2 / 3)

    for client in range(0, size, max(1, size // 20)):
        holders = graph.holders(client)
        assert client in holders
        assert all(client in graph.holders(holder) for holder in holders)
        assert len(holders) / 2 < graph.threshold <= len(holders)


def in_the_middle(size=4):
    """Return a sum whose clients have shared, and the routed shares."""
    it = Sum(size)
    return it, it.shared()


def test_a_client_refuses_a_wrong_list_of_keys():
    keys = [SecureClient(0.6).keys for _ in range(3)]

    with pytest.raises(RefusedError, match="missing from the client list"):
        SecureClient(0.6).share(keys)
    client = SecureClient(0.6)
    with pytest.raises(RefusedError, match="same key"):
        client.share([client.keys, keys[0], keys[0]])
    with pytest.raises(RefusedError, match="same key"):
        client.share([client.keys, keys[0], PublicKeys(keys[1].seal, client.keys.mask)])
    with pytest.raises(RefusedError, match="too few"):
        client.share([client.keys, keys[0]])


def test_a_client_shares_once():
    it, _ = in_the_middle()

    with pytest.raises(RefusedError, match="before"):
        it.clients[0].share(it.keys)


def test_damaged_shares_are_refused_and_nothing_is_masked_twice():
    it, routed = in_the_middle()
    numbers = [np.zeros(3, np.uint32)]
    broken = {**routed[0], 1: routed[0][1][:-1] + bytes([routed[0][1][-1] ^ 1])}

    for shares in (broken, {**routed[0], 1: b""}, {**routed[0], 1: routed[0][2]}):
        with pytest.raises(RefusedError, match="shares of client 1"):
            it.clients[0].mask(shares, numbers)
    np.testing.assert_array_equal(numbers[0], 0)
    it.clients[0].mask(routed[0], numbers)
    with pytest.raises(RefusedError, match="once"):
        it.clients[0].mask(routed[0], numbers)


def test_shares_for_another_client_are_refused():
    it, routed = in_the_middle()

    with pytest.raises(RefusedError, match="shares of client 1"):
        it.clients[0].mask({**routed[0], 1: routed[2][1]}, [])
    with pytest.raises(RefusedError, match="not neighbours"):
        it.clients[0].mask({**routed[0], 9: b""}, [])


def test_a_client_masks_only_with_enough_peers():
    it, routed = in_the_middle()

    with pytest.raises(RefusedError, match="too few to hide among"):
        it.clients[0].mask({1: routed[0][1]}, [])
    with pytest.raises(RefusedError, match="too few to hide among"):
        it.clients[0].mask({}, [])


def test_a_client_never_reveals_both_secrets_of_a_peer():
    it, routed = in_the_middle()
    for number, client in enumerate(it.clients):
        client.mask(routed[number], [np.zeros(1, np.uint32)])

    shares = it.clients[0].reveal([0, 1, 2])

    assert set(shares) == {0, 1, 2, 3}
    assert {len(share) for share in shares.values()} == {SHARE_BYTES}
    with pytest.raises(RefusedError, match="once"):
        it.clients[0].reveal([0, 2, 3])


def test_a_client_reveals_nothing_for_a_small_sum_or_without_its_own_update():
    it, routed = in_the_middle()
    with pytest.raises(RefusedError, match="after the update was masked"):
        it.clients[0].reveal([0, 1, 2])
    it.clients[0].mask(routed[0], [])

    with pytest.raises(RefusedError, match="a sum of 2"):
        it.clients[0].reveal([0, 1])
    with pytest.raises(RefusedError, match="not among the survivors"):
        it.clients[0].reveal([1, 2, 3])


def test_a_wrong_share_is_noticed():
    it = Sum(4, part=0.51, dropouts={"mask": {3}})
    routed = it.shared()
    survivors = [0, 1, 2]
    for number in survivors:
        it.clients[number].mask(routed[number], [np.zeros(1, np.uint32)])
    shares = {number: it.clients[number].reveal(survivors) for number in survivors}
    shares[0][3] = (7).to_bytes(SHARE_BYTES)

    with pytest.raises(ValueError, match=r"client 3|one secret"):
        it.server.unmask(set(survivors), shares, [np.zeros(1, np.uint32)])


@given(st.integers(1, 8), st.integers(0, 4), st.binary(min_size=32, max_size=32))
def test_any_threshold_of_shares_recovers_a_secret(threshold, more, secret):
    shares = split(secret, range(threshold + more), threshold)
    some = dict(random.sample(sorted(shares.items()), threshold))

    assert combine(some, threshold) == secret


def test_fewer_shares_recover_nothing():
    shares = split(SECRET, range(5), 3)

    with pytest.raises(ValueError, match="2 shares given, 3 needed"):
        combine({holder: shares[holder] for holder in (0, 1)}, 3)
    assert split(SECRET, range(5), 3) != shares


@pytest.mark.parametrize(
    ("secret", "holders", "threshold"), [(b"short", 3, 2), (SECRET, 3, 4), (SECRET, 3, 0)]
)
def test_a_secret_that_cannot_be_split_is_refused(secret, holders, threshold):
    with pytest.raises(ValueError, match=r"secret has|threshold is"):
        split(secret, range(holders), threshold)


def test_both_sides_agree_on_one_key_for_each_purpose():
    from cryptography.hazmat.primitives.asymmetric.x25519 import (  # noqa: PLC0415
        X25519PrivateKey,
    )

    mine, yours = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    publics = [key.public_key().public_bytes_raw() for key in (mine, yours)]

    assert agreed_key(mine, publics[1], b"a") == agreed_key(yours, publics[0], b"a")
    assert agreed_key(mine, publics[1], b"a") != agreed_key(mine, publics[1], b"b")
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
        agreed_key(mine, bytes(32), b"a")


def test_a_mask_is_chacha20s_stream():
    numbers = np.zeros(4, np.uint32)

    add_mask(bytes(32), [numbers])

    # RFC 8439, appendix A.1, test vector 1: an all-zero key and nonce.
    assert numbers.tobytes() == bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28")


def test_a_mask_is_subtracted_as_it_was_added_however_the_arrays_are_split():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 600_000, dtype=np.uint32)
    masked = values.copy()

    add_mask(SECRET, [masked.reshape(600, 1000)])
    add_mask(SECRET, [masked[:250_001], masked[250_001:]], subtract=True)

    np.testing.assert_array_equal(masked, values)


@pytest.mark.parametrize("clients", [3, 100, 1000])
def test_a_mean_is_as_exact_as_promised(clients):
    rng = np.random.default_rng(clients)
    bound, steps = 8.0, steps_for(clients)
    updates = rng.uniform(-bound, bound, (clients, 200))
    weights = rng.uniform(0.1, 1, clients)
    total = np.zeros(200, np.uint32)
    for update, weight in zip(updates, weights, strict=True):
        numbers = np.empty(200, np.uint32)
        assert to_steps(update, bound, weight, steps, numbers) == 0
        total += numbers

    mean = from_steps(total, bound, steps) / weights.sum()

    exact = weights @ updates / weights.sum()
    assert np.abs(mean - exact).max() <= clients * bound / (2 * steps * weights.sum()) + 1e-12


def test_the_largest_sum_fits():
    steps, numbers = steps_for(1000), np.empty(2, np.uint32)
    to_steps(np.array([8.0, -8.0]), 8.0, 1.0, steps, numbers)

    np.testing.assert_allclose(from_steps(numbers * np.uint32(1000), 8.0, steps), [8000, -8000])


def test_clipped_numbers_are_counted():
    numbers = np.empty(4, np.uint32)

    assert to_steps(np.array([9.0, -8.1, 8.0, 0.0]), 8.0, 1.0, 1000, numbers) == 2
    np.testing.assert_allclose(from_steps(numbers, 8.0, 1000), [8, -8, 8, 0])
