"""The caller of a use case."""

from dataclasses import dataclass

from flops_manager.domain.errors import NotAllowedError


@dataclass(frozen=True)
class Caller:
    """A verified user of the orchestrator; Admins see and may do everything."""

    user: str
    is_admin: bool = False

    def may_see(self, customer_id: str) -> bool:
        """Return whether something of ``customer_id`` is visible to the caller."""
        return self.is_admin or self.user == customer_id

    def require_customer(self, customer_id: str) -> None:
        """Raise ``NotAllowedError`` unless the caller may act for ``customer_id``."""
        if not self.may_see(customer_id):
            raise NotAllowedError(
                f"customerID is '{customer_id}', but the token belongs to '{self.user}'.",
                hint="Set customerID to your own user name, or ask an Admin.",
            )

    def require_admin(self) -> None:
        """Raise ``NotAllowedError`` unless the caller is an Admin."""
        if not self.is_admin:
            raise NotAllowedError("Only role Admin may do this.")
