"""The schema for deployment descriptors."""

import copy
from typing import Any

import pytest

from flops_local_oakestra.domain.errors import BadDescriptorError, BrokenDescriptorError
from flops_local_oakestra.domain.sla import check_sla
from support.local_oakestra import a_microservice, an_sla


def test_a_descriptor_with_everything_is_accepted():
    check_sla(
        an_sla(
            "a" * 30,
            a_microservice(
                memory=100,
                vcpus=1,
                storage=0,
                one_shot=True,
                privileged=False,
                cmd=["run"],
                environment=["A=b"],
                port="1:2",
                addresses={"rr_ip": "10.30.1.1", "instances": [{"from": "a", "to": "b"}]},
                constraints=[{"type": "direct", "cluster": "c", "node": "n"}],
                connectivity=[{"target_microservice_id": "x", "con_constraints": []}],
                volumes=[{"volume_id": "v", "csi_driver": "d", "config": {}}],
                unheard_of={"is": "stored"},
            ),
        )
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"microservice_name": ""},
        {"microservice_namespace": "a_b"},
        {"microserviceID": "65f0"},
        {"vcpus": 1.5},
        {"one_shot": "yes"},
        {"cmd": "run"},
        {"addresses": {"rr_ip": None}},
        {"constraints": [{}]},
        {"volumes": [{"volume_id": "v"}]},
        {"connectivity": [{"target_microservice_id": "x"}]},
    ],
)
def test_a_wrong_microservice_is_refused(wrong: dict[str, Any]):
    with pytest.raises(BadDescriptorError):
        check_sla(an_sla("app", {**a_microservice(), **wrong}))


@pytest.mark.parametrize("missing", ["microservice_name", "virtualization", "code"])
def test_a_microservice_needs_its_required_fields(missing: str):
    microservice = a_microservice()
    del microservice[missing]

    with pytest.raises(BadDescriptorError, match=missing):
        check_sla(an_sla("app", microservice))


@pytest.mark.parametrize("missing", ["customerID", "applications"])
def test_an_sla_needs_its_required_fields(missing: str):
    sla = copy.deepcopy(an_sla())
    del sla[missing]

    with pytest.raises(BadDescriptorError, match=missing):
        check_sla(sla)


def test_the_reason_names_every_problem_with_its_place():
    with pytest.raises(BadDescriptorError) as caught:
        check_sla(an_sla("app", {**a_microservice(), "vcpus": "1", "memory": "2"}))

    assert "applications.0.microservices.0.vcpus" in str(caught.value)
    assert "applications.0.microservices.0.memory" in str(caught.value)


@pytest.mark.parametrize("sla", [{}, [], "text", None, {"sla_version": "v1.0"}])
def test_an_sla_of_another_version_breaks_the_root(sla: Any):
    with pytest.raises(BrokenDescriptorError):
        check_sla(sla)
