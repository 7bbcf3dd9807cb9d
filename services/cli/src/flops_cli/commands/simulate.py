"""``flops local simulate``: a project's training with many learners, without services."""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from flops_cli.commands.context import Context, pass_context, read_sla
from flops_cli.commands.machine import Machine, install_services, tidied
from flops_cli.commands.projects import number
from flops_cli.errors import RefusedError
from flops_cli.local.simulation import NEEDS, News, Simulation, Simulator
from flops_contracts.sla import MockDataConfiguration, Mode
from flops_contracts.sla_documents import InvalidSlaError, read_mock_sla, read_project_sla

BUILTIN: Final = MockDataConfiguration("mnist", "simulated", source="builtin:mnist5k")
MEGABYTE: Final = 1e6


@click.command()
@click.argument("sla_file", metavar="SLA.json")
@click.option(
    "--learners", type=click.IntRange(1, 10_000), help="Learners in total. Default: the SLA's."
)
@click.option(
    "--clusters",
    type=click.IntRange(1, 1000),
    help="Clusters to spread the learners over evenly, each with an aggregator, below a root. "
    "Default: the SLA's min_clusters in hierarchical mode, else a single aggregator.",
)
@click.option(
    "--mock",
    "mock_file",
    metavar="MOCK.json",
    help="Mock SLA with the data and how to split them. Default: 5,000 digits at random.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Start of all random numbers.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Processes that the learners run in. Default: one per processor.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="File for all rounds and the result, as JSON."
)
@pass_context
def simulate(
    context: Context,
    sla_file: str,
    learners: int | None,
    clusters: int | None,
    mock_file: str | None,
    seed: int,
    processes: int | None,
    output: Path | None,
) -> None:
    """Train a project's model on this machine with many learners in a few processes.

    Strategies, privacy, compression and the repository's code work as they do on nodes; nothing
    is deployed, stored in MLflow or served. The same seed gives the same results.
    """
    simulation = _read(sla_file, learners, clusters, mock_file)
    simulation = replace(simulation, seed=seed, processes=processes or os.cpu_count() or 1)
    with (
        tidied(context) as machine,
        tempfile.TemporaryDirectory(prefix="flops-simulation-") as folder,
    ):
        install_services(machine, NEEDS)
        simulator = Simulator(machine.places, context.variables, Path(folder))
        news = _simulate(machine, simulator, simulation)
    document = _document(news)
    if output:
        output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if context.is_json:
        context.line(document)
        return
    _show(context, document)


def _read(
    sla_file: str, learners: int | None, clusters: int | None, mock_file: str | None
) -> Simulation:
    document = read_sla(sla_file)
    try:
        sla = read_project_sla(document)
        data = read_mock_sla(read_sla(mock_file)).mock_data_configuration if mock_file else BUILTIN
        training = sla.training_configuration
        if clusters is None and training.is_hierarchical:
            clusters = training.min_clusters
        count = clusters or 0
        total = learners or sla.learners * max(1, count)
        if count and total % count:
            raise RefusedError(f"{total} learners cannot be spread evenly over {count} clusters")
        mode = Mode.HIERARCHICAL if count else Mode.CLASSIC
        changed = {**(document.get("training_configuration") or {}), "mode": mode.value}
        document |= {"training_configuration": changed, "learners": total // max(1, count)}
        sla = read_project_sla(document)
        return Simulation(document, sla, data, total, count, processes=1, seed=0)
    except InvalidSlaError as error:
        raise RefusedError(error.reason) from error


def _simulate(machine: Machine, simulator: Simulator, simulation: Simulation) -> list[News]:
    """Run a simulation and show its progress; return its events."""
    screen = machine.screen
    screen.bar("simulate", f"building the environment of {simulation.sla.ml_repo_url}")
    bundle = simulator.environment(simulation)
    screen.bar("simulate", f"splitting the data for {simulation.learners} learners")
    rows = simulator.data(simulation)
    screen.drop_bars("simulate")
    screen.say(f"{simulation.learners} learners with {min(rows)} to {max(rows)} rows each.")
    screen.bar("simulate", "loading models and data")
    news = []
    for event in simulator.run(simulation, bundle):
        news.append(event)
        if event["kind"] == "notice":
            screen.say(event["message"])
        if event["kind"] == "round_completed" and not event["cluster"]:
            unit = "cycles" if simulation.clusters else "rounds"
            screen.bar("simulate", unit, event["round"], event["rounds"])
    screen.drop_bars("simulate")
    return news


def _document(news: Sequence[News]) -> dict[str, Any]:
    completed = [_without_kind(event) for event in news if event["kind"] == "round_completed"]
    return {
        **_without_kind(news[-1]),
        "rounds": [round_ for round_ in completed if not round_["cluster"]],
        "cluster_rounds": [round_ for round_ in completed if round_["cluster"]],
        "notices": [event["message"] for event in news if event["kind"] == "notice"],
    }


def _without_kind(news: News) -> dict[str, Any]:
    return {key: value for key, value in news.items() if key != "kind"}


def _show(context: Context, document: dict[str, Any]) -> None:
    is_private = any("epsilon" in round_ for round_ in document["rounds"])
    columns = ("ROUND", "ACCURACY", "LOSS", "SECONDS", *(["EPSILON"] if is_private else []))
    if document["cluster_rounds"]:
        columns = ("CYCLE", *columns[1:])
    context.table(columns, [_row(round_, is_private=is_private) for round_ in document["rounds"]])
    best, learners = document["best"], document["learners"]
    rounds = max(1, len(document["cluster_rounds"] or document["rounds"]))
    trained = learners * rounds
    if document["cluster_rounds"]:
        clusters = len({round_["cluster"] for round_ in document["cluster_rounds"]})
        trained = learners * rounds // clusters
    unit = "cycle" if document["cluster_rounds"] else "round"
    click.echo(f"Best: {unit} {best['round']}, accuracy {number(best['accuracy'])}.")
    click.echo(
        f"{learners} learners loaded in {document['load_seconds']:.1f} s, "
        f"trained in {document['train_seconds']:.1f} s: "
        f"{1000 * document['train_seconds'] / trained:.1f} ms and "
        f"{document['memory_bytes'] / MEGABYTE / learners:.1f} MB per learner and round."
    )


def _row(round_: dict[str, Any], *, is_private: bool) -> tuple[str, ...]:
    spent = (number(round_.get("epsilon")),) if is_private else ()
    measured = (number(round_["accuracy"]), number(round_["loss"]), f"{round_['seconds']:.2f}")
    return (str(round_["round"]), *measured, *spent)
