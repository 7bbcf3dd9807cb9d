from pathlib import Path

from flops_image_builder.domain.locks import Lock, lock_from_text
from flops_image_builder.domain.plan import BuildPlan, ImagePlan, Probe, layers_of, render
from flops_image_builder.domain.pythons import Interpreter
from flops_image_builder.domain.undeclared import undeclared_bounds

TEXT = """\
# comment
zope-x==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
Numpy==2.2.0 ; python_version < "4" \\
    --hash=sha256:cc
"""


def a_lock(**versions):
    return Lock({name: f"{name}=={version}" for name, version in versions.items()})


def test_a_lock_is_read_with_hashes_and_markers():
    lock = lock_from_text(TEXT)

    assert sorted(lock.entries) == ["numpy", "zope-x"]
    assert lock.version("zope_x") == "1.0"
    assert lock.version("numpy") == "2.2.0"
    assert lock.version("scipy") == ""
    assert "--hash=sha256:bb" in lock.entries["zope-x"]


def test_a_lock_survives_its_own_text():
    lock = lock_from_text(TEXT)

    assert lock_from_text(lock.text) == lock


def test_the_digest_does_not_depend_on_the_order():
    assert a_lock(a="1", b="2").digest == a_lock(b="2", a="1").digest


def test_two_locks_share_the_smaller_as_a_layer():
    small, large = a_lock(a="1"), a_lock(a="1", b="2")

    assert layers_of(small, large) == (small, a_lock(b="2"))


def test_locks_that_differ_share_no_layer():
    large = a_lock(a="2", b="2")

    assert layers_of(a_lock(a="1"), large) == (large,)


def test_old_numpy_bounds_pyarrow():
    assert undeclared_bounds(a_lock(numpy="1.26.4")) == ("pyarrow<26",)


def test_new_numpy_bounds_nothing():
    assert undeclared_bounds(a_lock(numpy="2.2.0")) == ()


def test_a_plan_can_be_read_before_anything_is_built():
    image = ImagePlan(
        reference="reg/o/r/learner:t",
        base="base:latest",
        module="flops_learner",
        layers=(a_lock(numpy="2.2.0"),),
        contents={"code": Path("/tmp/checkout")},
        environment={"A": "b"},
        labels={"flops.flavor": "sklearn"},
        probes=(Probe("the imports", ("-c", "import x")),),
    )

    text = render(BuildPlan(Interpreter("3.11.2", "/usr/bin/python3.11"), (image,)))

    assert text.splitlines()[:3] == [
        "python 3.11.2 (/usr/bin/python3.11)",
        "image reg/o/r/learner:t",
        "  from base:latest",
    ]
    assert "numpy 2.2.0" in text
    assert "copy /tmp/checkout to code" in text
