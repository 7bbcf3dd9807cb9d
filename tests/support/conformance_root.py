"""Any Oakestra root by its URL, and a client that takes everything back that it made there.

What is expected of a root is written down in the tests of this suite, one sentence each. Nothing
here knows which root it is: the addresses of its parts follow from the ports that every root
publishes, and unreachable parts are skipped with a message.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from support.waiting import T, until

TIMEOUT = 20
FRESH_SECONDS = 300
"""A token lives ten minutes, and is of use for half of them after it was looked at."""

NAMESPACE = "flopsconformance"
UNKNOWN = "0" * 24
STAYS = ["sh", "-c", "echo flops was here; exec sleep 600"]
ENDS = ["sh", "-c", "echo flops was here"]
PRINTS = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); done"
CHATTY = ["sh", "-c", f"{PRINTS}; exec sleep 600"]


@dataclass(frozen=True)
class Place:
    """The address of a root, its user, and the image that runs there."""

    url: str
    user: str
    password: str = field(repr=False)
    image: str = "docker.io/library/busybox:1.36"
    patience_seconds: float = 180.0

    def part(self, port: int) -> str:
        """Return the URL of another part of the root, on the same host."""
        return f"http://{urlsplit(self.url).hostname}:{port}"


def place_from(environment: Mapping[str, str]) -> Place | None:
    """Return the root that ROOT_URL names, or None."""
    url = environment.get("ROOT_URL", "").rstrip("/")
    if not url:
        return None
    more = {"image": environment["ROOT_IMAGE"]} if environment.get("ROOT_IMAGE") else {}
    return Place(url, environment.get("ROOT_USER") or "Admin", environment["ROOT_PASSWORD"], **more)


class Root:
    """Speaks to the root as one user, and remembers what there was before."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._session = requests.Session()
        self._session.trust_env = False
        self._logged_in_at = float("-inf")
        self._tokens: dict[str, str] = {}
        user_id = self.ask("GET", f"/api/user/{place.user}").json()["_id"]
        self.user_id = user_id["$oid"] if isinstance(user_id, dict) else user_id
        self._before = self._inventory()

    @property
    def tokens(self) -> dict[str, str]:
        """Tokens that are good for a while: at a real root, all checks take longer than one."""
        if time.monotonic() - self._logged_in_at > FRESH_SECONDS:
            self._tokens, self._logged_in_at = self.log_in(), time.monotonic()
        return self._tokens

    def log_in(self) -> dict[str, str]:
        credentials = {"username": self.place.user, "password": self.place.password}
        answer = self.ask("POST", "/api/auth/login", token="", json=credentials)
        assert answer.status_code == 200, f"cannot log in as {self.place.user}: {answer.text}"
        return answer.json()

    def ask(
        self, method: str, path: str, token: str | None = None, **kwargs: Any
    ) -> requests.Response:
        """Ask with the user's token, with another, or (empty) without any."""
        token = self.tokens["token"] if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = path if path.startswith("http") else self.place.url + path
        return self._session.request(method, url, headers=headers, timeout=TIMEOUT, **kwargs)

    def reach(self, port: int, path: str) -> requests.Response:
        """Ask another part of the root, which wants no token; skip the test if it is closed."""
        return self._reach(self.place.part(port) + path)

    def workers(self) -> tuple[str, list[dict[str, Any]]]:
        """Return the name of an active cluster, and its workers by its resource API."""
        self.require_workers()
        clusters = self.ask("GET", "/api/clusters/active", token="").json()
        cluster = next(cluster for cluster in clusters if cluster.get("active_nodes"))
        url = f"http://{cluster['ip']}:11012/api/v1/resources/?active=true"
        return cluster["candidate_name"], self._reach(url).json()

    def _reach(self, url: str) -> requests.Response:
        try:
            return self._session.get(url, timeout=120)
        except requests.RequestException:
            pytest.skip(f"{url} cannot be reached from here")

    def applications(self) -> list[dict[str, Any]]:
        return json.loads(self.ask("GET", f"/api/applications/{self.user_id}").json())

    def create_application(self, *microservices: Any) -> str:
        """Create an application with an unused name; return its id."""
        name = f"conf{secrets.token_hex(6)}"
        answer = self.ask("POST", "/api/application/", json=an_sla(name, *microservices))
        matching = [item for item in json.loads(answer.json()) if item["application_name"] == name]
        return matching[0]["applicationID"]

    def create_services(self, application_id: str, *microservices: Any) -> requests.Response:
        sla = an_sla("any", *microservices)
        sla["applications"][0]["applicationID"] = application_id
        return self.ask("POST", "/api/service/", json=sla)

    def create_service(self, **fields: Any) -> str:
        """Create a service in an application of its own; return its id."""
        answer = self.create_services(self.create_application(), self.a_service(**fields))
        return answer.json()["job_id"]

    def a_service(self, name: str = "svc", cmd: Any = STAYS, **fields: Any) -> dict[str, Any]:
        return {
            "microserviceID": "",
            "microservice_name": name,
            "microservice_namespace": NAMESPACE,
            "virtualization": "container",
            "code": self.place.image,
            "cmd": list(cmd),
            "memory": 20,
            "vcpus": 0,
            **fields,
        }

    def service(self, service_id: str) -> dict[str, Any]:
        return json.loads(self.ask("GET", f"/api/service/{service_id}").json())

    def services_of(self, application_id: str) -> list[dict[str, Any]]:
        return json.loads(self.ask("GET", f"/api/services/{application_id}").json())

    def deploy(self, service_id: str) -> requests.Response:
        return self.ask("POST", f"/api/service/{service_id}/instance")

    def undeploy(self, service_id: str, number: int) -> requests.Response:
        return self.ask("DELETE", f"/api/service/{service_id}/instance/{number}")

    def until(self, condition: Callable[[], T], what: str) -> T:
        place = self.place
        return until(condition, place.patience_seconds, what)

    def until_instance(self, service_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until the service's only instance has one of the statuses; return it."""

        def look() -> dict[str, Any] | None:
            instances = self.service(service_id)["instance_list"]
            matching = [instance for instance in instances if instance["status"] in statuses]
            return matching[0] if matching else None

        return self.until(look, f"{service_id} is {' or '.join(statuses)}")

    def require_workers(self) -> None:
        """Skip the test unless something can run here."""
        clusters = self.ask("GET", "/api/clusters/active", token="").json()
        if not any(cluster.get("active_nodes") for cluster in clusters):
            pytest.skip("this root has no active cluster with a worker")

    def tidy(self) -> None:
        """Delete what the checks made. The user may be busy beside them, even be a FLOps."""
        for application_id in self._inventory().keys() - self._before.keys():
            self._delete(application_id)

    def verify(self) -> None:
        """Fail unless the root is as it was."""
        assert self._inventory() == self._before, "the root is not as it was"

    def _inventory(self) -> dict[str, list[str]]:
        """Return the services of each application with the checks' namespace."""
        return {
            application["applicationID"]: application["microservices"]
            for application in self.applications()
            if application["application_namespace"] == NAMESPACE
        }

    def _delete(self, application_id: str) -> None:
        for service in self.services_of(application_id):
            service_id = service["microserviceID"]
            # One by one: removing all, or the service, leaves every second instance behind.
            for instance in service["instance_list"]:
                self.undeploy(service_id, instance["instance_number"])
            self.ask("DELETE", f"/api/service/{service_id}")
        self.ask("DELETE", f"/api/application/{application_id}")


def an_sla(name: str, *microservices: Any) -> dict[str, Any]:
    return {
        "sla_version": "v2.0",
        "customerID": "FLOps",
        "applications": [
            {
                "applicationID": "",
                "application_name": name,
                "application_namespace": NAMESPACE,
                "application_desc": "made and deleted by a check",
                "microservices": list(microservices),
            }
        ],
    }


def a_free_address() -> str:
    """Return an address of the range that no root hands out by itself."""
    return f"10.30.{128 + secrets.randbelow(126)}.{1 + secrets.randbelow(253)}"


def refused(answer: requests.Response, status: int) -> bool:
    """Return whether it is a refusal with this status; they never carry a reason."""
    return answer.status_code == status and set(answer.json()) == {"code", "status"}
