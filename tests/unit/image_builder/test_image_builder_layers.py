"""Layers of copied files: equal for equal files, readable for all; an error on a full disk."""

import tarfile
from pathlib import Path

import pytest

from flops_image_builder.adapters.layers import write_layer
from flops_image_builder.adapters.storage import storage_errors
from flops_image_builder.domain.errors import ImageStoreError


def a_repository(folder):
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git/config").touch()
    (folder / "model_manager.py").write_text("x = 1\n")
    (folder / "sub/run.sh").write_text("#!/bin/sh\n")
    (folder / "sub/run.sh").chmod(0o700)
    (folder / "link.py").symlink_to("model_manager.py")
    return folder


def a_layer(folder, repository):
    return write_layer(
        folder / "layer", "/flops", {"code": repository}, {"requirements.lock": "a\n"}
    )


def test_equal_files_are_equal_layers_wherever_they_lie(tmp_path):
    first, second = (a_repository(tmp_path / name) for name in ("one", "two"))
    (second / "model_manager.py").chmod(0o600)

    assert a_layer(first, first).digest == a_layer(second, second).digest


def test_everybody_can_read_what_only_its_owner_could(tmp_path):
    layer = a_layer(tmp_path, a_repository(tmp_path / "one"))

    with tarfile.open(layer.file) as archive:
        modes = {member.name: (member.mode, member.uid) for member in archive}
    assert modes["flops/code/sub/run.sh"] == (0o755, 0)
    assert modes["flops/code/model_manager.py"] == (0o644, 0)
    assert modes["flops/requirements.lock"] == (0o644, 0)


def test_links_stay_links_and_git_stays_outside(tmp_path):
    layer = a_layer(tmp_path, a_repository(tmp_path / "one"))

    with tarfile.open(layer.file) as archive:
        assert archive.getmember("flops/code/link.py").linkname == "model_manager.py"
        assert not [name for name in archive.getnames() if ".git" in name]


def test_a_full_disk_is_reported_with_the_way_out(tmp_path):
    repository = a_repository(tmp_path / "one")

    with pytest.raises(ImageStoreError, match="No space left") as caught, storage_errors():
        write_layer(Path("/dev/full"), "/flops", {"code": repository}, {})

    assert caught.value.hint == "Free space there."
