"""The exit code of every failure class of a one-shot service, and how each is explained."""

from enum import IntEnum, unique


@unique
class ExitCode(IntEnum):
    """Exit codes of FLOps processes; ``EXPLANATIONS`` has a sentence for each."""

    DONE = 0
    BUG = 1
    BAD_SETTINGS = 10
    REPOSITORY_UNREACHABLE = 11
    REPOSITORY_INVALID = 12
    DEPENDENCIES_UNRESOLVABLE = 13
    BUILD_FAILED = 14
    IMAGE_STORE_FAILED = 15
    NO_DATA = 20
    DATA_SERVER_UNREACHABLE = 21
    DATASET_UNAVAILABLE = 22
    DATA_REJECTED = 23
    USER_CODE_FAILED = 30
    AGGREGATOR_UNREACHABLE = 31
    TOO_FEW_LEARNERS = 32
    TRACKING_UNREACHABLE = 33
    MODEL_UNUSABLE = 34
    BUDGET_SPENT = 35
    BROKER_UNREACHABLE = 40
    NOT_ACKNOWLEDGED = 41
    TERMINATED = 143


EXPLANATIONS: dict[ExitCode, str] = {
    ExitCode.DONE: "The work is done and acknowledged.",
    ExitCode.BUG: "An error nobody foresaw; the log ends with its traceback.",
    ExitCode.BAD_SETTINGS: "The environment lacks settings or holds wrong ones; all are named.",
    ExitCode.REPOSITORY_UNREACHABLE: "The ML repository or the asked reference cannot be cloned.",
    ExitCode.REPOSITORY_INVALID: "The ML repository lacks a file, a class or a method.",
    ExitCode.DEPENDENCIES_UNRESOLVABLE: "A dependency does not exist, or two are in conflict.",
    ExitCode.BUILD_FAILED: "The dependencies resolve, but installing or importing them fails.",
    ExitCode.IMAGE_STORE_FAILED: "The image store or registry cannot be read or written.",
    ExitCode.NO_DATA: "No stored data carries any of the asked data tags.",
    ExitCode.DATA_SERVER_UNREACHABLE: "The data server of the node does not answer.",
    ExitCode.DATASET_UNAVAILABLE: "The dataset to provide cannot be loaded or split as asked.",
    ExitCode.DATA_REJECTED: "The data server refused an upload.",
    ExitCode.USER_CODE_FAILED: "Code of the ML repository raised or returned the wrong type.",
    ExitCode.AGGREGATOR_UNREACHABLE: "The aggregator does not answer or refuses this learner.",
    ExitCode.TOO_FEW_LEARNERS: "Fewer learners than the SLA's minima joined or answered in time.",
    ExitCode.TRACKING_UNREACHABLE: "The tracking server does not answer.",
    ExitCode.MODEL_UNUSABLE: "The trained model cannot be stored, loaded or served.",
    ExitCode.BUDGET_SPENT: "The privacy budget allows no further round.",
    ExitCode.BROKER_UNREACHABLE: "The MQTT broker does not answer or refuses the credentials.",
    ExitCode.NOT_ACKNOWLEDGED: "The result was sent, but nobody confirmed it in time.",
    ExitCode.TERMINATED: "The process was asked to end (SIGTERM) and ended cleanly.",
}
