"""Images of actors that do no work, but speak as the real ones: over the real broker."""

from support.local_oakestra import World

_START = """
import os, sys, threading
from flops_contracts.events import *
from flops_contracts.exit_codes import ExitCode
from flops_contracts.roles import Role
from flops_runtime.environment import read
from flops_runtime.one_shot import exit_with, reporting, run_one_shot
from flops_contracts.version import VERSION
from flops_runtime.settings import ActorSettings, MockActorSettings

env = os.environ
def actor(role):
    kind = MockActorSettings if role is Role.MOCK_DATA_PROVIDER else ActorSettings
    return read(kind, env, role=role)

def one_shot(role, work):
    exit_with(lambda: run_one_shot(actor(role), work))
"""

BUILDER = """
def work(reporter):
    if env["FLOPS_BUILD"] == "model":
        return Kind.MODEL_BUILT, ModelBuilt(f"images.test/trained_model:{VERSION}")
    images = ActorImages(
        f"images.test/learner-built:{VERSION}", f"images.test/aggregator-built:{VERSION}"
    )
    return Kind.ACTORS_BUILT, ActorsBuilt(images, "c0ffee", "3.11", "lock")

one_shot(Role.BUILDER, work)
"""

AGGREGATOR = """
def work(reporter):
    reporter.report(Kind.ROUND_COMPLETED, RoundCompleted(1, 1, 0.5, 0.9, 0.1))
    return Kind.TRAINED, Trained("r", "e", "models:/m/1", "m", "1", 1, 1, 0.5, 0.9)

one_shot(Role.AGGREGATOR, work)
"""

LEARNER = """
one_shot(Role.LEARNER, lambda reporter: (Kind.FINISHED, Finished(1, 10)))
"""

MODEL_SERVER = """
settings = actor(Role.MODEL_SERVER)
with reporting(settings) as reporter:
    reporter.report(Kind.MODEL_SERVING, ModelServing(8080))
    threading.Event().wait()
"""

CRASHING = """
print("about to crash", flush=True)
os.kill(os.getpid(), 9)
"""

PROVIDER = """
one_shot(
    Role.MOCK_DATA_PROVIDER,
    lambda reporter: (Kind.DATA_PROVIDED, DataProvided(env["FLOPS_DATA_TAG"], ())),
)
"""

SLEEPING = "threading.Event().wait()"


def register_actors(world: World) -> None:
    """Put all images of the suite into the world's store."""
    for name, code in {
        "image-builder": BUILDER,
        "learner-built": LEARNER,
        "aggregator-built": AGGREGATOR,
        "trained_model": MODEL_SERVER,
        "mock-data-provider": PROVIDER,
        "project-observer": SLEEPING,
        "tracking-server": SLEEPING,
    }.items():
        register(world, name, code)


def register(world: World, name: str, code: str) -> None:
    """Put one image into the store, or replace it."""
    world.image(name, _START + code)
