"""The Python of actors in containers: the one in their base image."""

from dataclasses import replace

from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.ports import PythonOfBase


class ImagePython:
    """``Interpreters`` of one base image."""

    def __init__(self, images: PythonOfBase, base: str, platform: str) -> None:
        self._images = images
        self._base = base
        self._platform = platform

    @property
    def own_minor(self) -> int:
        """See the port."""
        return int(self._images.python_of(self._base).minor.split(".")[1])

    def find(self, minor: int) -> Interpreter | None:
        """See the port; the base image has exactly one."""
        python = replace(self._images.python_of(self._base), platform=self._platform)
        return python if python.minor == f"3.{minor}" else None

    def configured(self) -> Interpreter | None:
        """Return None: only the base image decides."""
        return None
