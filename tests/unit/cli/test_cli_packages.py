"""A service's dependencies in its pyproject.toml."""

import pytest

from flops_cli.local.packages import needs_of


def a_distribution(folder, dependencies, paths=None):
    lines = ["[project]", 'name = "x"', f"dependencies = {list(dependencies)}"]
    lines += ["[tool.uv.sources]"]
    lines += [f'{name} = {{ path = "{path}" }}' for name, path in (paths or {}).items()]
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("\n".join(lines))
    return folder


@pytest.fixture
def service(tmp_path):
    a_distribution(tmp_path / "wire", ["schemas>=1"])
    a_distribution(tmp_path / "shell", ["bus>=2", "flops-wire"], {"flops-wire": "../wire"})
    paths = {"flops-wire": "../wire", "flops-shell": "../shell"}
    return a_distribution(tmp_path / "svc", ["web>=3", "flops-shell", "flops-wire"], paths)


def test_sources_are_found_through_local_packages(service, tmp_path):
    expected = tuple(tmp_path / name / "src" for name in ("svc", "shell", "wire"))

    assert needs_of(service).sources == expected


def test_requirements_are_third_party_only(service):
    assert needs_of(service).requirements == ("web>=3", "bus>=2", "schemas>=1")
