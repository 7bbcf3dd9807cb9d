"""Submits, reads and watches projects with the generated client, in that client's environment.

Called with the manager's address, a token, the files of a project's and a mock's SLA, and the id
of a project that has a history; writes what it saw as JSON.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flops_manager_client import AuthenticatedClient
from flops_manager_client.api.mock import mock_submit
from flops_manager_client.api.project import (
    project_cancel,
    project_events,
    project_get,
    project_list,
    project_submit,
)
from flops_manager_client.models import MockSla, ProjectSla


def main(url: str, token: str, project_file: str, mock_file: str, old_id: str) -> None:
    """Do what a user's program does."""
    client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
    sla = ProjectSla.from_dict(json.loads(Path(project_file).read_text()))
    mock_sla = MockSla.from_dict(json.loads(Path(mock_file).read_text()))
    project_id = project_submit.sync(client=client, body=sla).project_id
    project = project_get.sync(project_id, client=client).project
    cancelled = project_cancel.sync(project_id, client=client).project
    listed = project_list.sync(client=client, stage=cancelled.stage).projects
    seen = {
        "project_id": project_id,
        "sla": project.sla.to_dict(),
        "cancelled": cancelled.stage,
        "listed": [summary.project_id for summary in listed],
        "mock_id": mock_submit.sync(client=client, body=mock_sla).mock_id,
        "old": project_get.sync(old_id, client=client).project.to_dict(),
        "watched": [
            (event.kind, type(event).__name__, type(event.payload).__name__)
            for event in watched(client, old_id)
        ],
    }
    sys.stdout.write(json.dumps(seen))


def watched(client: AuthenticatedClient, project_id: str) -> Iterator[Any]:
    """Yield the events of a project, batch after batch."""
    after = 0
    while events := project_events.sync(project_id, client=client, after=after).events:
        yield from events
        after = events[-1].seq


if __name__ == "__main__":
    main(*sys.argv[1:])
