"""Checks from the source alone whether this is an ML repository, and lists every problem.

``docs/ml-repository-guide.md`` describes the rules.
"""

import ast
from dataclasses import dataclass
from typing import Final

from flops_image_builder.domain.problems import Problem
from flops_image_builder.domain.sources import Method, Methods, Sources, own_nodes

MODEL_MANAGER: Final = "model_manager.py"
DATA_MANAGER: Final = "data_manager.py"
MODEL_MANAGER_CLASS: Final = "ModelManager"
DATA_MANAGER_CLASS: Final = "DataManager"


@dataclass(frozen=True)
class Signature:
    """A method that the learner or the aggregator calls.

    ``extra`` names an optional parameter, which is passed to methods that have it.
    """

    name: str
    parameters: int
    returns: str
    shape: str
    extra: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.shape} -> {self.returns}"


ANY_NUMBER: Final = 99
"""Any number of parameters: only the user's own code calls the method."""

MODEL_MANAGER_METHODS: Final = (
    Signature("get_model", 0, "Any", "(self)"),
    Signature("get_model_parameters", 0, "list[numpy.ndarray]", "(self)"),
    Signature("set_model_parameters", 1, "None", "(self, parameters)"),
    Signature("set_model_data", 0, "None", "(self)"),
    Signature("fit_model", 0, "int", "(self)", extra="config"),
    Signature("evaluate_model", 0, "tuple[float, float, int]", "(self)"),
)
DATA_MANAGER_METHODS: Final = (
    Signature("_prepare_data", ANY_NUMBER, "Any", "(self)"),
    Signature("get_data", 0, "tuple[Any, Any]", "(self)"),
)


def check_code(sources: Sources, unparsed: frozenset[str] = frozenset()) -> list[Problem]:
    """Return the problems of both managers; ``unparsed`` files are reported elsewhere."""
    problems: list[Problem] = []
    if MODEL_MANAGER not in unparsed:
        problems += _check_class(
            sources, MODEL_MANAGER, MODEL_MANAGER_CLASS, MODEL_MANAGER_METHODS, is_required=True
        )
    if DATA_MANAGER in sources.trees:
        problems += _check_class(
            sources, DATA_MANAGER, DATA_MANAGER_CLASS, DATA_MANAGER_METHODS, is_required=False
        )
    return problems


def _check_class(
    sources: Sources,
    file: str,
    name: str,
    signatures: tuple[Signature, ...],
    *,
    is_required: bool,
) -> list[Problem]:
    if file not in sources.trees:
        hint = f"Add {file} with class {name} to the root of the repository."
        return [Problem(file, "is missing", hint)]
    methods = sources.class_methods(file, name)
    if methods is None:
        hint = f"Add class {name} to it; docs/ml-repository-guide.md shows an example."
        return [Problem(f"{file}:1", f"has no class {name}", hint)] if is_required else []
    problems: list[Problem] = []
    for signature in signatures:
        problems += _check_method(name, methods, signature)
    return problems


def _check_method(name: str, methods: Methods, signature: Signature) -> list[Problem]:
    method = methods.by_name.get(signature.name)
    hint = f"Write: def {signature}"
    if method is None:
        message = f"class {name} has no method {signature}"
        return [Problem(methods.where, message, hint)] if methods.is_complete else []
    required = _required_parameters(method, signature.extra)
    if required > signature.parameters:
        message = f"{signature.name} requires {required} arguments, but is called with "
        return [Problem(method.where, f"{message}{signature.parameters or 'none'}", hint)]
    return _check_returns(method, signature, hint)


def _required_parameters(method: Method, extra: str) -> int:
    arguments = method.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    is_static = any(ast.unparse(item) == "staticmethod" for item in method.node.decorator_list)
    bound = required if is_static else required[1:]
    return sum(argument.arg != extra for argument in bound)


def _check_returns(method: Method, signature: Signature, hint: str) -> list[Problem]:
    if signature.returns == "None" or signature.name == "_prepare_data":
        return []
    nodes = list(own_nodes(method.node))
    values = [node.value for node in nodes if isinstance(node, ast.Return) and node.value]
    if not values and not any(isinstance(node, ast.Raise | ast.Yield) for node in nodes):
        message = f"{signature.name} returns nothing, but must return {signature.returns}"
        return [Problem(method.where, message, hint)]
    return [
        Problem(
            f"{method.file}:{value.lineno}",
            f"{signature.name} returns {ast.unparse(value)[:60]}, but must return "
            f"{signature.returns}",
            hint,
        )
        for value in values
        if _is_surely_wrong(value, signature)
    ]


def _is_surely_wrong(value: ast.expr, signature: Signature) -> bool:
    """Return whether a literal has the wrong type; other values are known only at run time."""
    if signature.name == "get_model":
        return isinstance(value, ast.Constant) and value.value is None
    if signature.name == "fit_model":
        is_other = isinstance(value, ast.Tuple | ast.List | ast.Dict | ast.JoinedStr)
        return is_other or (isinstance(value, ast.Constant) and type(value.value) is not int)
    if signature.name == "evaluate_model":
        if isinstance(value, ast.Tuple | ast.List):
            has_star = any(isinstance(item, ast.Starred) for item in value.elts)
            return not has_star and len(value.elts) != 3
        return isinstance(value, ast.Constant | ast.Dict | ast.JoinedStr)
    return isinstance(value, ast.Constant)
