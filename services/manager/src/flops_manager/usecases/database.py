"""Starting over: the reset that existing clients know as ``reset-database``."""

from flops_manager.usecases.answers import Removed
from flops_manager.usecases.caller import Caller


class Database:
    """What an Admin can do to everything at once."""

    def reset(self, caller: Caller) -> Removed:
        """Delete every project and mock, as ``delete`` does, and say how many that are.

        Raises ``NotAllowedError`` unless the caller is an Admin.
        """
        raise NotImplementedError
