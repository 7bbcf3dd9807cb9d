"""All use cases of a root, in one place."""

from dataclasses import dataclass

from flops_local_oakestra.ports.runtime import Runtime
from flops_local_oakestra.usecases.accounts import Accounts
from flops_local_oakestra.usecases.applications import Applications
from flops_local_oakestra.usecases.catalogue import Catalogue
from flops_local_oakestra.usecases.data_servers import DataServers
from flops_local_oakestra.usecases.deployments import Deployments
from flops_local_oakestra.usecases.hooks import Hooks
from flops_local_oakestra.usecases.reports import Reports
from flops_local_oakestra.usecases.resources import Resources
from flops_local_oakestra.usecases.services import Services


@dataclass(frozen=True)
class Root:
    """The use cases of one root and of the clusters below it."""

    accounts: Accounts
    catalogue: Catalogue
    applications: Applications
    services: Services
    deployments: Deployments
    resources: Resources
    reports: Reports
    data_servers: DataServers
    hooks: Hooks
    runtime: Runtime
