"""The two ways to verify a token, against a root that is simulated below HTTP."""

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from requests.adapters import BaseAdapter

from flops_manager.adapters.tokens import KeyTokenVerifier, RootTokenVerifier, token_verifier
from flops_manager.domain.errors import NotAuthenticatedError, OrchestratorUnavailableError

ROOT = "http://root:10000"
KEY_URL = "http://jwt:10011/key"


class Issuer:
    """Signs tokens as the root's token issuer does."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def public_key(self) -> str:
        pem, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(pem, form).decode()

    def token(self, user="ada", *, seconds=600, kind="access", roles=("Admin",)) -> str:
        now = datetime.now(UTC)
        claims = {
            "sub": user,
            "user": user,
            "roles": list(roles),
            "type": kind,
            "organization": "0" * 24,
            "iat": now,
            "nbf": now,
            "exp": now + timedelta(seconds=seconds),
        }
        return jwt.encode(claims, self.key, algorithm="RS256")


class Root(BaseAdapter):
    """Answers every request with ``status`` and ``document``, and remembers them."""

    def __init__(self, document, status=200) -> None:
        super().__init__()
        self.document = document
        self.status = status
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request, **_):
        self.asked.append(request)
        response = requests.Response()
        response.status_code = self.status
        response._content = json.dumps(self.document).encode()
        response.request = request
        response.url = request.url
        return response

    def close(self) -> None:
        """Do nothing, as nothing is open."""


class Unreachable(Root):
    """A root that is down."""

    def send(self, request, **_):
        raise requests.ConnectionError(request.url)


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_session(root: Root) -> requests.Session:
    session = requests.Session()
    session.mount("http://", root)
    return session


def asking(root: Root, clock: Clock, **options) -> RootTokenVerifier:
    return RootTokenVerifier(ROOT, session=a_session(root), clock=clock, **options)


def by_key(root: Root, clock: Clock) -> KeyTokenVerifier:
    return KeyTokenVerifier(KEY_URL, session=a_session(root), clock=clock)


def test_the_root_returns_the_roles_of_the_tokens_user(issuer, clock):
    root = Root({"roles": ["Admin", "Application_Provider"]})

    identity = asking(root, clock).verify(issuer.token("ada"))

    assert (identity.user, identity.is_admin) == ("ada", True)


def test_roles_that_only_the_token_claims_count_for_nothing_at_the_root(issuer, clock):
    identity = asking(Root({"roles": []}), clock).verify(issuer.token(roles=("Admin",)))

    assert not identity.is_admin


def test_the_root_is_asked_with_the_callers_own_token(issuer, clock):
    root, token = Root({"roles": []}), issuer.token("ada")

    asking(root, clock).verify(token)

    assert root.asked[0].headers["Authorization"] == f"Bearer {token}"


def test_a_user_name_cannot_choose_another_path_at_the_root(issuer, clock):
    root = Root({"roles": []})

    asking(root, clock).verify(issuer.token("../user/ada?x=#"))

    assert root.asked[0].url == f"{ROOT}/api/permission/..%2Fuser%2Fada%3Fx%3D%23"


def test_the_root_is_asked_once_for_a_token_within_30_seconds(issuer, clock):
    root, token = Root({"roles": []}), issuer.token()
    verifier = asking(root, clock)

    verifier.verify(token)
    verifier.verify(token)

    assert len(root.asked) == 1


def test_the_root_is_asked_again_after_30_seconds(issuer, clock):
    root, token = Root({"roles": []}), issuer.token()
    verifier = asking(root, clock)
    verifier.verify(token)
    clock.now += 31

    verifier.verify(token)

    assert len(root.asked) == 2


def test_only_so_many_answers_are_remembered(issuer, clock):
    root = Root({"roles": []})
    verifier = asking(root, clock, remember=1)
    first, second = issuer.token("ada"), issuer.token("bob")

    verifier.verify(first)
    verifier.verify(second)
    verifier.verify(first)

    assert len(root.asked) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_root_refuses_is_refused(issuer, clock, status):
    root = Root({"message": "Missing authentication token"}, status)

    with pytest.raises(NotAuthenticatedError):
        asking(root, clock).verify(issuer.token())


@pytest.mark.parametrize("status", [302, 404, 500])
def test_other_answers_of_the_root_say_nothing_about_the_token(issuer, clock, status):
    with pytest.raises(OrchestratorUnavailableError):
        asking(Root({}, status), clock).verify(issuer.token())


def test_a_root_that_is_down_says_nothing_about_the_token(issuer, clock):
    with pytest.raises(OrchestratorUnavailableError):
        asking(Unreachable({}), clock).verify(issuer.token())


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é"])
def test_text_that_is_not_a_token_does_not_bother_the_root(clock, token):
    root = Root({"roles": ["Admin"]})

    with pytest.raises(NotAuthenticatedError):
        asking(root, clock).verify(token)

    assert root.asked == []


def test_an_expired_token_is_refused_though_it_was_good_a_moment_ago(issuer, clock):
    with pytest.raises(NotAuthenticatedError, match="expired"):
        asking(Root({"roles": []}), clock).verify(issuer.token(seconds=-60))


def test_a_refresh_token_is_not_accepted_as_an_access_token(issuer, clock):
    with pytest.raises(NotAuthenticatedError):
        asking(Root({"roles": []}), clock).verify(issuer.token(kind="refresh"))


def test_a_signed_token_is_enough_where_the_key_is_known(issuer, clock):
    root = Root({"public_key": issuer.public_key})

    identity = by_key(root, clock).verify(issuer.token("ada", roles=("Admin",)))

    assert (identity.user, identity.is_admin) == ("ada", True)


@pytest.mark.parametrize("url", ["http://jwt:10011", "http://jwt:10011/", KEY_URL])
def test_the_key_endpoint_may_be_named_with_or_without_its_path(issuer, clock, url):
    root = Root({"public_key": issuer.public_key})
    verifier = KeyTokenVerifier(url, session=a_session(root), clock=clock)

    verifier.verify(issuer.token())

    assert root.asked[0].url == KEY_URL


def test_the_key_is_fetched_once_for_many_tokens(issuer, clock):
    root = Root({"public_key": issuer.public_key})
    verifier = by_key(root, clock)

    verifier.verify(issuer.token("ada"))
    verifier.verify(issuer.token("bob"))

    assert len(root.asked) == 1


def test_a_restarted_issuer_is_trusted_by_its_new_key(issuer, clock):
    root = Root({"public_key": Issuer().public_key})
    verifier = by_key(root, clock)
    with pytest.raises(NotAuthenticatedError):
        verifier.verify(issuer.token())
    root.document = {"public_key": issuer.public_key}
    clock.now += 6

    assert verifier.verify(issuer.token("ada")).user == "ada"


def test_forged_tokens_do_not_make_the_manager_fetch_the_key_each_time(issuer, clock):
    root, forger = Root({"public_key": issuer.public_key}), Issuer()
    verifier = by_key(root, clock)

    for _ in range(5):
        with pytest.raises(NotAuthenticatedError):
            verifier.verify(forger.token())

    assert len(root.asked) == 1


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(issuer, clock):
    root = Root({"public_key": issuer.public_key})
    text = jwt.encode({"sub": "ada", "type": "access", "exp": 2**40}, "k" * 32, algorithm="HS256")
    signed = text.rpartition(".")[0]
    digest = hmac.digest(issuer.public_key.encode(), signed.encode(), "sha256")
    forged = f"{signed}.{urlsafe_b64encode(digest).decode().rstrip('=')}"

    with pytest.raises(NotAuthenticatedError):
        by_key(root, clock).verify(forged)


def test_an_unsigned_token_is_refused(issuer, clock):
    claims = {"sub": "ada", "type": "access", "exp": datetime.now(UTC) + timedelta(hours=1)}
    unsigned = jwt.encode(claims, None, algorithm="none")

    with pytest.raises(NotAuthenticatedError):
        by_key(Root({"public_key": issuer.public_key}), clock).verify(unsigned)


@pytest.mark.parametrize(
    ("kind", "seconds"), [("refresh", 600), ("access", -60)], ids=["refresh", "expired"]
)
def test_by_key_too_only_living_access_tokens_count(issuer, clock, kind, seconds):
    verifier = by_key(Root({"public_key": issuer.public_key}), clock)

    with pytest.raises(NotAuthenticatedError):
        verifier.verify(issuer.token(kind=kind, seconds=seconds))


@pytest.mark.parametrize("document", [{}, {"public_key": None}, {"public_key": "x"}, ["x"], "x"])
def test_an_issuer_without_a_key_says_nothing_about_the_token(issuer, clock, document):
    with pytest.raises(OrchestratorUnavailableError):
        by_key(Root(document), clock).verify(issuer.token())


def test_the_key_endpoint_is_used_when_it_is_set():
    assert isinstance(token_verifier(ROOT, KEY_URL), KeyTokenVerifier)


def test_the_root_is_asked_when_no_key_endpoint_is_set():
    assert isinstance(token_verifier(ROOT), RootTokenVerifier)


def test_a_key_that_is_none_is_the_orchestrators_trouble(issuer, clock):
    root = Root({"public_key": "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----"})

    with pytest.raises(OrchestratorUnavailableError, match="key is not a valid public key"):
        by_key(root, clock).verify(issuer.token())
