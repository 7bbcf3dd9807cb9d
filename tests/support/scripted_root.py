"""A root below HTTP that answers what a test wants, for what no stand-in does on demand."""

import json
import time
from collections import Counter

import jwt
import requests
from requests.adapters import BaseAdapter

from flops_manager.adapters.oakestra import Oakestra
from flops_manager.adapters.oakestra_session import Account, OakestraSession
from flops_manager.domain.deployments import ApplicationKey, Deployment

ROOT = "http://root:10000"
KEY = "only to have a signature; nobody checks it"

APP = ApplicationKey("proj0123456789ab", "c0123456789ab")
APPLICATIONS = "GET /api/applications/u1"
SERVICES = "GET /api/services/a1"
SERVICE = "GET /api/service/s1"
CREATE = "POST /api/service/"
START = "POST /api/service/s1/instance"
DELETE = "DELETE /api/service/s1"


class Reply:
    """An answer: a status and a document, JSON or text."""

    def __init__(self, document=None, status=200):
        self.status = status
        self.content = document if isinstance(document, bytes) else json.dumps(document).encode()


def twice(document):
    """Return it as the root encodes most documents: JSON in a JSON string."""
    return Reply(json.dumps(document))


LISTED = twice(
    [
        {
            "application_name": APP.name,
            "application_namespace": APP.namespace,
            "applicationID": "a1",
        }
    ]
)
CREATED = Reply({"job_id": "s1", "deployed_services": [{}], "failed_services": []})
OK = Reply({"message": "ok"})


def a_token(number=0, seconds=600):
    now = int(time.time())
    claims = {"sub": "Admin", "jti": number, "iat": now, "exp": now + seconds}
    return jwt.encode(claims, KEY.ljust(64), algorithm="HS256")


class ScriptedRoot(BaseAdapter):
    """Answers by ``METHOD /path`` or ``METHOD url``.

    Of several replies each is given once, the last for ever.
    """

    def __init__(self, replies):
        super().__init__()
        self.refreshed = a_token(2)
        login = {"token": a_token(1), "refresh_token": "refresh"}
        self._replies = {
            "POST /api/auth/login": Reply(login),
            "POST /api/auth/refresh": Reply({"token": self.refreshed}),
            "GET /api/user/Admin": Reply({"_id": {"$oid": "u1"}}),
            **replies,
        }
        self.asked = Counter()
        self.tokens = []

    def send(self, request, **_):
        what = f"{request.method} {request.path_url.partition('?')[0]}"
        exact = f"{request.method} {request.url.partition('?')[0]}"
        what = exact if exact in self._replies else what
        self.asked[what] += 1
        self.tokens.append(request.headers.get("Authorization"))
        replies = self._replies.get(what, Reply({"code": 404, "status": "Not Found"}, 404))
        reply = replies
        if isinstance(replies, list):
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        response = requests.Response()
        response.status_code = reply.status
        response._content = reply.content
        response.request = request
        response.url = request.url
        return response

    def close(self):
        """Do nothing, as nothing is open."""


class Scripted:
    """The manager's adapter over a scripted root, and a clock to move."""

    def __init__(self, script):
        self.root = ScriptedRoot(script)
        self.seconds = 0.0
        self.session = OakestraSession(ROOT, Account("Admin", "Admin"), lambda: self.seconds)
        self.session._http.mount("http://", self.root)
        self.oakestra = Oakestra(self.session, monotonic=lambda: self.seconds)
        self.oakestra._nodes._http.mount("http://", self.root)


def a_service(status=None, instances=(), **fields):
    return {
        "_id": {"$oid": "s1"},
        "microserviceID": "s1",
        "microservice_name": "svc1",
        "instance_list": [
            {"instance_number": number, "status": instance}
            for number, instance in enumerate(instances)
        ],
        **({"status": status} if status else {}),
        **fields,
    }


def a_deployment(**changes):
    return Deployment(**{"application": APP, "name": "svc1", "image": "i", **changes})


def with_services(*services, **script):
    """Return a root with one application and these services in it."""
    return Scripted({APPLICATIONS: LISTED, SERVICES: twice(list(services)), **script})
