"""Projects that are disturbed while they run: their trainings and their processes."""

import psutil
import requests

from support.waiting import until

ACTORS = ("flops_image_builder", "flops_aggregator", "flops_learner")
ENDS_WITHIN_SECONDS = 420
MINIMA = {"min_available_clients": 1, "min_fit_clients": 1}
TRAININGS = {
    "classic": {"training_rounds": 6, **MINIMA},
    "hierarchical": {
        "mode": "hierarchical",
        "training_cycles": 2,
        "training_rounds": 3,
        **MINIMA,
    },
}


def actors(module, project_id):
    """Return the processes of a project that run ``module``."""
    return [
        item
        for item in psutil.process_iter()
        if runs(item, module) and _environment(item).get("FLOPS_PROJECT_ID") == project_id
    ]


def runs(process, module):
    """Return whether a process runs ``module``; its keeper, which also names it, does not."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return module in words and not any("shim" in word for word in words)


def _environment(process):
    try:
        return process.environ()
    except psutil.Error:
        return {}


def is_over(world, project_id):
    """Return whether it has ended; the API may be away for a moment."""
    try:
        return world.client.project(project_id).stage.is_final
    except Exception:  # noqa: BLE001 - whatever a client of a killed API raises
        return False


def finish(world, project_id):
    until(lambda: is_over(world, project_id), ENDS_WITHIN_SECONDS, f"{project_id} ends")
    return world.client.project(project_id)


def tracked(world, project):
    """Return the accuracy of each round in MLflow; a server that was killed is waited for."""
    query = {"run_id": project.document["trained"]["run_id"], "metric_key": "accuracy"}

    def history():
        url = f"{world.client.tracking().url}/api/2.0/mlflow/metrics/get-history"
        try:
            answer = requests.get(url, params=query, timeout=120)
        except requests.RequestException:
            return None
        return answer.json()["metrics"] if answer.ok else None

    return {item["step"]: item["value"] for item in until(history, 60, "MLflow answers")}
