"""The schemas of the two SLAs. ``read_project_sla`` and ``read_mock_sla`` are the way in."""

import json
import re
from typing import Any, Final

from marshmallow import (
    ValidationError,
    fields,
    post_load,
    validate,
    validates,
    validates_schema,
)

from flops_contracts.errors import FlopsError
from flops_contracts.partitioners import PARTITIONERS, parameter_problems, partitioner_problem
from flops_contracts.privacy import NO_PRIVACY
from flops_contracts.privacy_schemas import PrivacySchema
from flops_contracts.schemas import TupleOf
from flops_contracts.sla import (
    BestBy,
    Compression,
    DataSplit,
    Direction,
    Flavor,
    Metric,
    MockDataConfiguration,
    MockSla,
    Mode,
    Parametrised,
    Platform,
    PostTrainingStep,
    ProjectSla,
    ResourceConstraints,
    StrategyChoice,
    TrainingConfiguration,
)
from flops_contracts.sla_rules import broken_rules
from flops_contracts.strategies import STRATEGIES
from flops_contracts.strict_schemas import SlaSchema, strict_count

DATA_TAG: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z"
"""What a data tag looks like; it becomes part of a file name, so it holds no path."""

MAX_LEARNERS: Final = 1000
MAX_ROUNDS: Final = 10_000


class InvalidSlaError(FlopsError):
    """An SLA that cannot be accepted; ``problems`` maps each path to what is wrong there."""

    def __init__(self, problems: dict[str, list[str]]) -> None:
        told = ((path, " ".join(texts).rstrip(".")) for path, texts in problems.items())
        listed = "; ".join(f"{path}: {text}" for path, text in told)
        super().__init__(f"The SLA is invalid. {listed}.")
        self.problems = problems


def _megabytes() -> fields.Integer:
    return fields.Integer(load_default=0, strict=True, validate=validate.Range(min=0))


class ParametrisedSchema(SlaSchema):
    """See ``Parametrised``."""

    builds = Parametrised
    name = fields.String(required=True, validate=validate.Length(min=1))
    parameters = fields.Dict(keys=fields.String(), load_default=dict)


class BestBySchema(SlaSchema):
    """See ``BestBy``."""

    builds = BestBy
    metric = fields.Enum(Metric, by_value=True, load_default=Metric.ACCURACY)
    direction = fields.Enum(Direction, by_value=True, load_default=None)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> BestBy:
        """Take a metric's usual direction where none is told."""
        usual = Direction.MIN if data["metric"] is Metric.LOSS else Direction.MAX
        return BestBy(data["metric"], data["direction"] or usual)


class StrategySchema(ParametrisedSchema):
    """A strategy by the name of its class in ``flwr.serverapp.strategy``."""

    builds = StrategyChoice
    name = fields.String(required=True, validate=validate.OneOf(sorted(STRATEGIES)))
    best_by = fields.Nested(BestBySchema, load_default=BestBy)


class TrainingConfigurationSchema(SlaSchema):
    """See ``TrainingConfiguration``."""

    builds = TrainingConfiguration
    mode = fields.Enum(Mode, by_value=True, load_default=Mode.CLASSIC)
    data_tags = TupleOf(fields.String(validate=validate.Regexp(DATA_TAG)), load_default=())
    training_cycles = strict_count(1, MAX_ROUNDS)
    training_rounds = strict_count(3, MAX_ROUNDS)
    min_available_clients = strict_count(1, MAX_LEARNERS)
    min_fit_clients = strict_count(1, MAX_LEARNERS)
    min_evaluate_clients = strict_count(1, MAX_LEARNERS)
    min_clusters = strict_count(1, MAX_LEARNERS)
    take_first_clients = fields.Integer(
        load_default=0, strict=True, validate=validate.Range(min=0, max=MAX_LEARNERS)
    )
    checkpoint_every_rounds = strict_count(1, MAX_ROUNDS)
    compression = fields.Enum(Compression, by_value=True, load_default=Compression.NONE)

    @validates_schema
    def check_first(self, data: Any, **_: Any) -> None:
        """Refuse to take fewer answers than a round needs."""
        first = data["take_first_clients"]
        needed = max(data["min_fit_clients"], data["min_evaluate_clients"])
        if 0 < first < needed:
            problem = f"A round that needs {needed} clients cannot take the first {first}."
            raise ValidationError(problem, field_name="take_first_clients")


class ResourceConstraintsSchema(SlaSchema):
    """See ``ResourceConstraints``."""

    builds = ResourceConstraints
    memory = _megabytes()
    vcpus = _megabytes()
    storage = _megabytes()


class ProjectSlaSchema(SlaSchema):
    """See ``ProjectSla``."""

    builds = ProjectSla
    customer_id = fields.String(
        required=True, data_key="customerID", validate=validate.Length(min=1, max=100)
    )
    ml_repo_url = fields.String(required=True, validate=validate.Length(min=1, max=2000))
    ml_model_flavor = fields.Enum(Flavor, by_value=True, required=True)
    ml_repo_ref = fields.String(load_default="", validate=validate.Length(max=250))
    verbose = fields.Boolean(load_default=False)
    use_devel_base_images = fields.Boolean(load_default=False)
    supported_platforms = TupleOf(
        fields.Enum(Platform, by_value=True),
        load_default=(Platform.LINUX_AMD64,),
        validate=validate.Length(min=1),
    )
    training_configuration = fields.Nested(
        TrainingConfigurationSchema, load_default=TrainingConfiguration
    )
    post_training_steps = TupleOf(fields.Enum(PostTrainingStep, by_value=True), load_default=())
    resource_constraints = fields.Nested(
        ResourceConstraintsSchema, load_default=ResourceConstraints
    )
    strategy = fields.Nested(StrategySchema, load_default=lambda: StrategyChoice("FedAvg"))
    round_timeout_seconds = strict_count(3600, 7 * 24 * 3600)
    learners = fields.Integer(
        load_default=None, strict=True, validate=validate.Range(min=1, max=MAX_LEARNERS)
    )
    data_split = fields.Enum(DataSplit, by_value=True, load_default=DataSplit.EXCLUSIVE)
    privacy = fields.Nested(PrivacySchema, load_default=NO_PRIVACY)

    @validates_schema
    def check_steps(self, data: Any, **_: Any) -> None:
        """Refuse to deploy a model image that nobody builds."""
        steps = data["post_training_steps"]
        if PostTrainingStep.DEPLOY in steps and PostTrainingStep.BUILD not in steps:
            problem = f"{PostTrainingStep.DEPLOY} needs {PostTrainingStep.BUILD} as well."
            raise ValidationError(problem, field_name="post_training_steps")

    @validates_schema
    def check_learners(self, data: Any, **_: Any) -> None:
        """Refuse minima that so few learners can never meet."""
        training = data["training_configuration"]
        learners, minima = data["learners"], training.minima
        if learners is not None and learners < minima:
            problem = f"{learners} learners can never meet a minimum of {minima} clients."
            raise ValidationError(problem, field_name="learners")

    @validates("ml_repo_url")
    def refuse_secrets(self, value: str, **_: Any) -> None:
        """Refuse credentials: a URL is shown to everybody who may see the project."""
        if re.match(r"(?i)https?://[^/]*@|[a-z+]+://[^/@]*:[^/@]*@", value):
            raise ValidationError(
                "A URL must hold no user or password. Give the image-builder a deploy key or a "
                "token by its settings."
            )

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> ProjectSla:
        """Start as many learners as the minima need, unless the SLA says how many."""
        learners = data["learners"] or data["training_configuration"].minima
        return ProjectSla(**{**data, "learners": learners})


class PartitionerSchema(ParametrisedSchema):
    """A partitioner by the name of its class in ``flwr_datasets.partitioner``."""

    @validates("name")
    def refuse_unknown(self, value: str, **_: Any) -> None:
        """Report a partitioner that does not exist, with the nearest that does."""
        if problem := partitioner_problem(value):
            raise ValidationError(problem)

    @validates_schema
    def check_parameters(self, data: Any, **_: Any) -> None:
        """Report every parameter that is foreign, missing or of a wrong kind."""
        if problems := parameter_problems(data["name"], data["parameters"]):
            raise ValidationError(problems, field_name="parameters")


class MockDataConfigurationSchema(SlaSchema):
    """See ``MockDataConfiguration``."""

    builds = MockDataConfiguration
    dataset_name = fields.String(required=True, validate=validate.Length(min=1, max=500))
    data_tag = fields.String(required=True, validate=validate.Regexp(DATA_TAG))
    number_of_partitions = strict_count(1, MAX_ROUNDS)
    split = fields.String(load_default="train", validate=validate.Length(min=1))
    partitioner = fields.Nested(
        PartitionerSchema, load_default=lambda: Parametrised("IidPartitioner")
    )
    seed = fields.Integer(load_default=42, strict=True)
    source = fields.String(load_default="")
    nodes = strict_count(1, MAX_LEARNERS)

    @validates_schema
    def check_nodes(self, data: Any, **_: Any) -> None:
        """Refuse more nodes than partitions, where the SLA says how many there are."""
        partitions, nodes = data["number_of_partitions"], data["nodes"]
        if PARTITIONERS[data["partitioner"].name].counts and nodes > partitions:
            problem = f"{partitions} partitions cannot be spread over {nodes} nodes."
            raise ValidationError(problem, field_name="nodes")


class MockSlaSchema(SlaSchema):
    """See ``MockSla``."""

    builds = MockSla
    customer_id = fields.String(
        required=True, data_key="customerID", validate=validate.Length(min=1, max=100)
    )
    mock_data_configuration = fields.Nested(MockDataConfigurationSchema, required=True)


def _paths(messages: Any, prefix: str = "") -> dict[str, list[str]]:
    """Flatten marshmallow's nested messages to ``{"a.b[0]": [...]}``."""
    if isinstance(messages, list):
        return {prefix or "(document)": [str(message) for message in messages]}
    flat: dict[str, list[str]] = {}
    for key, inner in messages.items():
        step = f"[{key}]" if isinstance(key, int) else ("" if key == "_schema" else f".{key}")
        flat.update(_paths(inner, (prefix + step).removeprefix(".")))
    return flat


def _whole(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError("a whole number has more than 64 bits")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")


def _document(text: str | bytes) -> Any:
    """Return the JSON in ``text`` if a database and an environment variable can hold it."""
    document = json.loads(text, parse_int=_whole, parse_constant=_no_constant)
    plain = json.dumps(document, ensure_ascii=False)
    plain.encode()  # half of a surrogate pair raises a ValueError
    if r"\u0000" in plain:
        raise ValueError("a text holds the character NUL")
    return document


def _parse(text: str | bytes) -> Any:
    try:
        return _document(text)
    except RecursionError as error:
        raise InvalidSlaError({"(document)": ["Nested too deeply."]}) from error
    except ValueError as error:
        decoded = text.decode(errors="replace") if isinstance(text, bytes) else text
        problem = f"Not valid JSON: {error}."
        if any(line.split("//")[0].strip().startswith("%") for line in decoded.splitlines()) or (
            re.search(r"[,{\[\]}\"0-9a-z]\s*%", decoded)
        ):
            problem += " JSON knows no comments: remove everything from each '%' to its line's end."
        raise InvalidSlaError({"(document)": [problem]}) from error


def _read(schema: SlaSchema, document: Any) -> Any:
    if isinstance(document, str | bytes):
        document = _parse(document)
    try:
        return schema.load(document)
    except ValidationError as error:
        raise InvalidSlaError(_paths(error.messages)) from error


def read_project_sla(document: Any) -> ProjectSla:
    """Return the SLA in ``document`` (JSON text or parsed); raise ``InvalidSlaError``."""
    sla: ProjectSla = _read(ProjectSlaSchema(), document)
    if problems := broken_rules(sla):
        raise InvalidSlaError(problems)
    return sla


def read_mock_sla(document: Any) -> MockSla:
    """Return the mock SLA in ``document`` (JSON text or parsed); raise ``InvalidSlaError``."""
    sla: MockSla = _read(MockSlaSchema(), document)
    return sla
