"""Deployments of instances: place, start, follow and stop them."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flops_local_oakestra.domain.addresses import (
    InstanceAddresses,
    UnusableAddressError,
    WorldNetwork,
)
from flops_local_oakestra.domain.documents import Instance, Service
from flops_local_oakestra.domain.environments import instance_environment
from flops_local_oakestra.domain.placement import Demand, Free, Placed, demand_of, place
from flops_local_oakestra.domain.published import (
    PublishedPort,
    UnusablePortError,
    clash,
    read_ports,
)
from flops_local_oakestra.domain.statuses import AFTER_START, STARTED, WAITING, Scheduler, Status
from flops_local_oakestra.domain.topology import Cluster, Node
from flops_local_oakestra.ports.runtime import Runtime, Workload
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.keepers import Habits, Keeper, stop_all
from flops_local_oakestra.usecases.reports import Reports

logger = logging.getLogger(__name__)

ALL: Final = -1
"""The instance number for all instances; the root removes only every second one."""


@dataclass(frozen=True)
class Rules:
    """How this root and its clusters treat instances."""

    restart_seconds: float = 15.0
    grace_seconds: float = 10.0
    report_seconds: float = 15.0
    honours_all_constraints: bool = False
    scheduler: Scheduler = Scheduler.WORKS
    publish_address: str = ""
    """The address to publish services' ports at; empty to publish none."""
    public_address: str = ""
    """The address that clients reach published ports at."""
    is_sparse: bool = False
    """Whether nodes report neither public addresses nor how an instance ended, as NodeEngine."""


@dataclass(eq=False)
class _Held:
    """The resources of an instance until its workload has ended, listed at the root or not."""

    service_id: str
    instance: Instance
    keeper: Keeper | None = None


class Deployments:
    """All instances that hold resources of a node."""

    def __init__(
        self,
        catalogue: Catalogue,
        clusters: Sequence[Cluster],
        network: WorldNetwork,
        runtime: Runtime,
        reports: Reports,
        rules: Rules,
        now: Callable[[], datetime],
    ) -> None:
        self._catalogue = catalogue
        self._clusters = clusters
        self._network = network
        self._runtime = runtime
        self._reports = reports
        self._rules = rules
        self._now = now
        self._addresses = InstanceAddresses(network)
        self._held: list[_Held] = []
        self._is_closed = False

    def free(self, node: Node) -> Free:
        """Return the free resources of ``node``."""
        with self._catalogue.lock:
            demands = [held.instance.demand for held in self._held if held.instance.node == node]
        return Free(
            vcpus=node.vcpus - sum(demand.vcpus for demand in demands),
            memory_mb=node.memory_mb - sum(demand.memory_mb for demand in demands),
        )

    def deploy(self, service_id: str, user: str) -> None:
        """Start another instance; do nothing if the service is not the user's."""
        with self._catalogue.lock:
            service = self._catalogue.deployable(service_id, user)
            if service is None or self._is_closed:
                logger.warning("nothing to deploy: %s has no service %s", user, service_id)
                return
            service.fields.update(status=str(Status.REQUESTED), status_detail=WAITING)
            self._changed(service)
            if self._rules.scheduler is Scheduler.SILENT:
                return
            demand = demand_of(service.fields, honours_all=self._rules.honours_all_constraints)
            placed = self._place(demand)
            if isinstance(placed, Status):
                logger.warning("%s cannot be placed: %s", service.job_name, placed)
                service.fields["status"] = str(placed)
                self._changed(service)
                return
            instance = Instance(service.next_number, placed.cluster, demand)
            service.next_number += 1
            service.instances.append(instance)
            self._report(service, instance, Status.CLUSTER_SCHEDULED, "")
            if placed.node is None:
                # The real cluster manager crashes here and never reports to the root again.
                logger.warning("%s: no node of %s fits", service.job_name, placed.cluster.name)
                return
            self._run(service, instance, placed.node)

    def undeploy(self, service_id: str, user: str, number: int) -> None:
        """Stop an instance, or with ``ALL`` every second: the root's loop skips the others."""
        with self._catalogue.lock:
            service = self._catalogue.deployable(service_id, user)
            if service is None:
                logger.warning("nothing to undeploy: %s has no service %s", user, service_id)
                return
            if number == ALL:
                removed = service.instances[::2]
            else:
                removed = [entry for entry in service.instances if entry.number == number]
            self._remove(service, removed)

    def drop(self, service: Service) -> None:
        """Stop all instances of a service that is being deleted.

        As at the root, every second instance runs on until its cluster's next report.
        """
        with self._catalogue.lock:
            self._remove(service, service.instances[::2])
            leftovers = [held for held in self._held if held.instance in service.instances]
            self._remove(service, list(service.instances), stop=False)
        if leftovers:
            timer = threading.Timer(self._rules.report_seconds, _stop, (leftovers,))
            timer.daemon = True
            timer.start()

    def replace(self, service: Service) -> None:
        """Stop all instances of a service that was submitted again under its old name."""
        with self._catalogue.lock:
            self._remove(service, list(service.instances))
            service.next_number = 0

    def close(self, grace_seconds: float, timeout_seconds: float) -> bool:
        """Stop everything for good, leftovers included; return whether all ended in time."""
        with self._catalogue.lock:
            self._is_closed = True
            keepers = [held.keeper for held in self._held if held.keeper]
        return stop_all(keepers, grace_seconds, timeout_seconds)

    def _place(self, demand: Demand) -> Placed | Status:
        if self._rules.scheduler is not Scheduler.WORKS:
            return Status(self._rules.scheduler)
        return place(demand, self._clusters, self.free)

    def _changed(self, service: Service) -> None:
        self._catalogue.notify("jobs", service.id, "post_update")

    def _run(self, service: Service, instance: Instance, node: Node) -> None:
        instance.node = node
        try:
            instance.address = instance.public_address = self._address(service)
            ports = self._ports(service)
        except (UnusableAddressError, UnusablePortError) as error:
            self._report(service, instance, Status.FAILED, str(error))
            return
        if ports:
            instance.public_address = self._rules.public_address
        if self._rules.is_sparse:
            instance.public_address = ""
        self._report(service, instance, Status.NODE_SCHEDULED, "")
        held = _Held(service.id, instance)
        keeper = Keeper(
            self._runtime,
            self._workload(service, instance, node, ports),
            Habits(self._rules.restart_seconds, self._rules.grace_seconds, service.is_one_shot),
            report=lambda status, detail: self._report(service, instance, status, detail),
            ended=lambda: self._release(held),
        )
        predecessors = [
            other.keeper
            for other in self._held
            if other.keeper and _blocks(other.keeper.workload, keeper.workload)
        ]
        held.keeper = keeper
        self._held.append(held)
        self._reports.track((service.id, instance.number), keeper)
        keeper.start(predecessors)

    def _workload(
        self, service: Service, instance: Instance, node: Node, ports: tuple[PublishedPort, ...]
    ) -> Workload:
        fields = service.fields
        return Workload(
            name=f"{service.job_name}.{instance.number}",
            image=fields["code"],
            address=instance.address,
            environment=instance_environment(
                fields.get("environment") or (),
                self._network,
                node,
                instance.address,
                instance.number,
            ),
            command=tuple(self._network.translate(part) for part in fields.get("cmd") or ()),
            ports=ports,
            memory_mb=instance.demand.memory_mb,
            vcpus=instance.demand.vcpus,
            has_fuse=bool(fields.get("privileged")),
        )

    def _ports(self, service: Service) -> tuple[PublishedPort, ...]:
        """Return the ports to publish: all of the SLA's, or none if one is taken.

        A real node would let services capture each other's ports; here the second service is
        reachable only at its own address.
        """
        if not self._rules.publish_address:
            return ()
        ports = read_ports(service.fields.get("port") or "", self._rules.publish_address)
        for other in self._held:
            if other.keeper and not other.keeper.is_stopping:
                taken = [port for port in ports if _clashes(port, other.keeper.workload)]
                if taken:
                    name = other.keeper.workload.name
                    logger.warning("%s: %s has port %d", service.job_name, name, taken[0].host)
                    return ()
        return ports

    def _address(self, service: Service) -> str:
        """Return the service address for the first instance; there is no load balancing."""
        if service.service_address:
            address = self._network.service(service.service_address)
            live = (entry for entry in service.instances if entry.status is not Status.COMPLETED)
            if all(entry.address != address for entry in live):
                return address
        taken = {held.instance.address for held in self._held}
        return self._addresses.take(taken | self._service_addresses())

    def _service_addresses(self) -> set[str]:
        addresses = (service.service_address for service in self._catalogue.services.values())
        return {self._network.translate(address) for address in addresses if address}

    def _remove(self, service: Service, removed: Sequence[Instance], *, stop: bool = True) -> None:
        service.instances = [entry for entry in service.instances if entry not in removed]
        for instance in removed:
            self._reports.forget((service.id, instance.number))
        if stop:
            _stop([held for held in self._held if held.instance in removed])

    def _report(self, service: Service, instance: Instance, status: Status, detail: str) -> None:
        seen = STARTED if self._rules.is_sparse and status in AFTER_START else detail
        with self._catalogue.lock:
            instance.status, instance.status_detail = status, seen
            instance.modified_timestamp = self._now().timestamp()
            if instance in service.instances:
                service.fields["status"] = str(status)
                self._changed(service)
        log = logger.warning if status in {Status.DEAD, Status.FAILED} else logger.info
        log("%s.%d is %s %s", service.job_name, instance.number, status, detail)

    def _release(self, held: _Held) -> None:
        with self._catalogue.lock:
            self._held.remove(held)


def _stop(instances: Sequence[_Held]) -> None:
    for held in instances:
        if held.keeper:
            held.keeper.stop()


def _blocks(other: Workload, workload: Workload) -> bool:
    is_same = workload.address == other.address or workload.name == other.name
    return is_same or any(_clashes(port, other) for port in workload.ports)


def _clashes(port: PublishedPort, other: Workload) -> bool:
    return any(clash(port, published) for published in other.ports)
