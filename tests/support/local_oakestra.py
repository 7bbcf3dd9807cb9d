"""A real local-oakestra process in its own loopback network, and a client."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import requests

from flops_contracts.bundles import Bundle, write_bundle
from flops_contracts.version import VERSION
from support.loopback import free_network
from support.waiting import until

IMAGES = "images.test"
TIMEOUT = 10
ADMIN = "Admin"
UNKNOWN = "0" * 24
"""An id of no object."""


class World:
    """A root with its image store and state below ``folder``."""

    def __init__(self, folder: Path, network: str = "", **environment: str) -> None:
        self.folder = folder
        self.network = network or free_network()
        self.url = f"http://{self.network}.0.1:10000"
        self.key_url = f"http://{self.network}.0.1:10011"
        self.store = folder / "images"
        self.marker = f"marker-{uuid.uuid4().hex}"
        self._environment = {
            **os.environ,
            "FLOPS_LOCAL_NETWORK": self.network,
            "FLOPS_LOCAL_STATE": str(folder / "state"),
            "FLOPS_IMAGE_STORE": str(self.store),
            "FLOPS_IMAGE_PREFIX": IMAGES,
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "World":
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "local-oakestra.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flops_local_oakestra"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        until(self.is_ready, 20, "local-oakestra is ready")
        return self

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=TIMEOUT).ok
        except requests.ConnectionError:
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(300)

    def log(self) -> str:
        return (self.folder / "local-oakestra.log").read_text()

    def image(self, name: str, code: str, **environment: str) -> str:
        """Register an image that runs Python ``code``; every process of it carries the marker."""
        return self.image_of(name, [sys.executable, "-c", code, self.marker], **environment)

    def image_of(self, name: str, argv: Sequence[str], **environment: str) -> str:
        reference = f"{IMAGES}/{name}:{VERSION}"
        write_bundle(self.store, Bundle(reference, tuple(argv), environment, "/"))
        return reference

    def left(self) -> list[psutil.Process]:
        """Return all live processes that belong to this world's images, shims included."""
        return [
            process
            for process in psutil.process_iter(["cmdline", "status"])
            if self.marker in (process.info["cmdline"] or ())
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    def shims(self) -> list[psutil.Process]:
        """Return the shims of instances."""
        return [process for process in self.left() if "shim.py" in str(process.info["cmdline"])]

    def running(self) -> list[psutil.Process]:
        """Return the processes of instances."""
        return [process for process in self.left() if "shim.py" not in str(process.info["cmdline"])]


class Client:
    """Calls the root as a user."""

    def __init__(self, world: World, name: str = ADMIN, password: str = ADMIN) -> None:
        self.world = world
        self.session = requests.Session()
        self.login = self.request(
            "POST", "/api/auth/login", json={"username": name, "password": password}
        ).json()
        self.session.headers["Authorization"] = f"Bearer {self.login.get('token')}"

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        return self.session.request(method, self.world.url + path, timeout=TIMEOUT, **kwargs)

    def create_application(self, name: str = "app", *microservices: Any) -> str:
        answer = self.request("POST", "/api/application/", json=an_sla(name, *microservices))
        applications = json.loads(answer.json())
        return next(a["applicationID"] for a in applications if a["application_name"] == name)

    def create_services(self, application_id: str, *microservices: Any) -> dict[str, Any]:
        sla = an_sla("app", *microservices)
        sla["applications"][0]["applicationID"] = application_id
        return self.request("POST", "/api/service/", json=sla).json()

    def run(self, image: str, name: str = "svc", **fields: Any) -> str:
        """Create an application with one service, start an instance, return the service's id."""
        application = self.create_application(f"app{name}")
        service = self.create_services(application, a_microservice(name, image, **fields))["job_id"]
        self.deploy(service)
        return service

    def deploy(self, service_id: str) -> requests.Response:
        return self.request("POST", f"/api/service/{service_id}/instance")

    def undeploy(self, service_id: str, number: int = 0) -> requests.Response:
        return self.request("DELETE", f"/api/service/{service_id}/instance/{number}")

    def service(self, service_id: str) -> dict[str, Any]:
        return json.loads(self.request("GET", f"/api/service/{service_id}").json())

    def instance(self, service_id: str) -> dict[str, Any]:
        return self.service(service_id)["instance_list"][0]

    def until_status(self, service_id: str, status: str, timeout_seconds: float = 10) -> Any:
        return until(
            lambda: self.service(service_id)["status"] == status and self.service(service_id),
            timeout_seconds,
            f"{service_id} is {status}",
        )


def an_sla(name: str = "app", *microservices: Any) -> dict[str, Any]:
    return {
        "sla_version": "v2.0",
        "customerID": "Admin",
        "applications": [
            {
                "applicationID": "",
                "application_name": name,
                "application_namespace": "test",
                "application_desc": "for a test",
                "microservices": list(microservices),
            }
        ],
    }


def a_microservice(name: str = "svc", image: str = "none", **fields: Any) -> dict[str, Any]:
    return {
        "microserviceID": "",
        "microservice_name": name,
        "microservice_namespace": "test",
        "virtualization": "container",
        "code": image,
        **fields,
    }


def error(status: int, phrase: str) -> tuple[int, dict[str, Any]]:
    """Return the root's answer to a refused request, which has no reason."""
    return status, {"code": status, "status": phrase}


def answer(response: requests.Response) -> tuple[int, object]:
    return response.status_code, response.json()
