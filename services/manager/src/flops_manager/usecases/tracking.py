"""The tracking server (MLflow) of each customer."""

from flops_manager.usecases.answers import TrackingServer
from flops_manager.usecases.caller import Caller


class Tracking:
    """Finds or deploys tracking servers."""

    def url_for(self, caller: Caller, customer: str = "") -> TrackingServer:
        """Return ``(url, is_running)`` of a customer's server (default: the caller's own).

        Deploys it if it is absent, and answers within seconds with the URL that it has or will
        have. Raises ``NotAllowedError`` for another customer's unless the caller is an Admin.
        """
        raise NotImplementedError
