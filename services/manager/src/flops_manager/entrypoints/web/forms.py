"""Turns forms into SLAs. Fields and problems are named by their path in the SLA."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from werkzeug.datastructures import MultiDict

NUMBERS: Final = frozenset(
    {
        "learners",
        "round_timeout_seconds",
        "training_configuration.training_rounds",
        "training_configuration.training_cycles",
        "training_configuration.min_available_clients",
        "training_configuration.min_fit_clients",
        "training_configuration.min_evaluate_clients",
        "training_configuration.min_clusters",
        "resource_constraints.memory",
        "resource_constraints.vcpus",
        "resource_constraints.storage",
        "mock_data_configuration.number_of_partitions",
        "mock_data_configuration.nodes",
        "mock_data_configuration.seed",
    }
)
WORDS: Final = frozenset({"training_configuration.data_tags"})
"""Lists, written with commas."""

CHOICES: Final = frozenset({"post_training_steps", "supported_platforms"})
"""Lists, as checkboxes."""

PARAMETERS: Final = frozenset(
    {"strategy.parameters", "mock_data_configuration.partitioner.parameters"}
)
"""Objects, written as ``name=value, name=value``."""

_PROJECT: Final = (
    "customerID",
    "ml_repo_url",
    "ml_repo_ref",
    "ml_model_flavor",
    "learners",
    "data_split",
    "round_timeout_seconds",
    "strategy.name",
    "strategy.parameters",
    "training_configuration.mode",
    "training_configuration.data_tags",
    "training_configuration.training_rounds",
    "training_configuration.training_cycles",
    "training_configuration.min_available_clients",
    "training_configuration.min_fit_clients",
    "training_configuration.min_evaluate_clients",
    "training_configuration.min_clusters",
    "post_training_steps",
    "supported_platforms",
    "resource_constraints.memory",
    "resource_constraints.vcpus",
    "resource_constraints.storage",
)
_MOCK: Final = (
    "customerID",
    "mock_data_configuration.dataset_name",
    "mock_data_configuration.source",
    "mock_data_configuration.split",
    "mock_data_configuration.data_tag",
    "mock_data_configuration.number_of_partitions",
    "mock_data_configuration.nodes",
    "mock_data_configuration.seed",
    "mock_data_configuration.partitioner.name",
    "mock_data_configuration.partitioner.parameters",
)
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {"project": _PROJECT, "mock": _MOCK}

STARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "project": {
        "ml_model_flavor": "sklearn",
        "training_configuration.mode": "classic",
        "training_configuration.training_rounds": "3",
        "strategy.name": "FedAvg",
        "data_split": "exclusive",
        "supported_platforms": "linux/amd64",
    },
    "mock": {
        "mock_data_configuration.split": "train",
        "mock_data_configuration.number_of_partitions": "1",
        "mock_data_configuration.nodes": "1",
        "mock_data_configuration.partitioner.name": "IidPartitioner",
    },
}
"""The values of a new form."""


def sla_from(kind: str, form: "MultiDict[str, str]") -> dict[str, Any]:
    """Return the SLA document of a form, without empty fields: those have defaults."""
    document: dict[str, Any] = {}
    for name in FIELDS[kind]:
        value = _value(name, form)
        if value not in ("", [], {}):
            _put(document, name.split("."), value)
    return document


def _value(name: str, form: "MultiDict[str, str]") -> Any:
    text = form.get(name, "").strip()
    if name in CHOICES:
        return form.getlist(name)
    if name in WORDS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if name in PARAMETERS:
        return _parameters(text)
    if name in NUMBERS and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text


def _parameters(text: str) -> dict[str, Any]:
    pairs = (part.partition("=") for part in re.split(r"[,\n]", text) if part.strip())
    return {name.strip(): _number(value.strip()) for name, _, value in pairs}


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = value


def by_field(kind: str, problems: Mapping[str, list[str]]) -> dict[str, str]:
    """Return problems by field of the form; those of no field have an empty name."""
    by_name: dict[str, list[str]] = {}
    for path, texts in problems.items():
        by_name.setdefault(_field(kind, path), []).extend(texts)
    return {name: " ".join(texts) for name, texts in by_name.items()}


def _field(kind: str, path: str) -> str:
    paths = _shorter(re.sub(r"\[\d+\]", "", path))
    return next((name for name in paths if name in FIELDS[kind]), "")


def _shorter(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]
