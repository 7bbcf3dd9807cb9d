"""The root's rules for deployment descriptors, as a JSON schema.

Unknown fields are accepted and stored. The root never returns the reason of a refusal; the
stand-in at least logs it.
"""

from typing import Any, Final

from jsonschema import Draft202012Validator

from flops_local_oakestra.domain.errors import BadDescriptorError, BrokenDescriptorError

_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_FLAG: Final = {"type": "boolean"}
_NAME: Final = {"type": "string", "pattern": "^[a-zA-Z0-9]{1,30}$"}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_CONSTRAINT = _object(
    ("type",),
    **dict.fromkeys(("type", "area", "cluster", "node", "location"), _TEXT),
    **dict.fromkeys(("threshold", "rigidness"), _NUMBER),
    **dict.fromkeys(("needs", "allowed"), _list_of(_TEXT)),
    convergence_time=_WHOLE,
)
_CONNECTION_CONSTRAINT = _object(
    ("type", "threshold", "rigidness", "convergence_time"),
    type=_TEXT,
    threshold=_NUMBER,
    rigidness=_NUMBER,
    convergence_time=_WHOLE,
)
_CONNECTION = _object(
    ("target_microservice_id", "con_constraints"),
    target_microservice_id=_TEXT,
    con_constraints=_list_of(_CONNECTION_CONSTRAINT),
)
_VOLUME = _object(
    ("volume_id", "csi_driver"),
    **dict.fromkeys(("volume_id", "csi_driver", "mount_path"), _TEXT),
    config={"type": "object"},
)
_ADDRESSES = _object(
    (),
    **dict.fromkeys(("rr_ip", "rr_ip_v6", "closest_ip", "closest_ip_v6"), _TEXT),
    instances=_list_of(_object((), **{"from": _TEXT, "to": _TEXT, "start": _TEXT})),
)
_MICROSERVICE = _object(
    ("microservice_name", "microservice_namespace", "virtualization", "code"),
    microserviceID={"type": "string", "maxLength": 0},
    **dict.fromkeys(("microservice_name", "microservice_namespace"), _NAME),
    **dict.fromkeys(("virtualization", "code", "state", "port"), _TEXT),
    **dict.fromkeys(("sla_violation_strategy", "target_node"), _TEXT),
    **dict.fromkeys(("memory", "vcpus", "vgpus", "vtpus", "storage"), _WHOLE),
    **dict.fromkeys(("bandwidth_in", "bandwidth_out"), _WHOLE),
    **dict.fromkeys(("one_shot", "privileged"), _FLAG),
    **dict.fromkeys(("cmd", "environment", "args", "added_files"), _list_of(_TEXT)),
    volumes=_list_of(_VOLUME),
    addresses=_ADDRESSES,
    constraints=_list_of(_CONSTRAINT),
    connectivity=_list_of(_CONNECTION),
)
_APPLICATION = _object(
    ("application_name", "application_namespace", "microservices"),
    applicationID=_TEXT,
    application_name=_NAME,
    application_namespace=_NAME,
    application_desc=_TEXT,
    microservices=_list_of(_MICROSERVICE),
)
SCHEMA: Final = _object(
    ("sla_version", "customerID", "applications"),
    sla_version=_TEXT,
    customerID=_TEXT,
    applications=_list_of(_APPLICATION),
)
_VALIDATOR: Final = Draft202012Validator(SCHEMA)


def check_sla(sla: Any) -> None:
    """Raise ``BrokenDescriptorError`` or ``BadDescriptorError`` if the root refuses ``sla``."""
    version = sla.get("sla_version") if isinstance(sla, dict) else None
    if version != "v2.0":
        raise BrokenDescriptorError(f"sla_version is {version!r}, not 'v2.0'")
    problems = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _VALIDATOR.iter_errors(sla)
    ]
    if problems:
        raise BadDescriptorError("; ".join(problems)[:2000])
