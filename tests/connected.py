"""What the tables of tests/isolated.py have of connected systems: how each operation is asked."""

from typing import Any
from uuid import UUID

TASK = str(UUID(int=2))
PUBLIC = {"takeOpenDsrStatus"}
NAMES = {"system": "crm", "task_id": TASK, "file_id": TASK}
PARAMETERS = {"takeOpenDsrStatus": {"tenant": "nobody"}}
NOT_MADE = {
    "bringFile", "confirmTask", "deleteDownstream", "excuseTask", "makeDownstreamSecret", "pullTasks", "readDownstream",
    "refuseTask", "repeatTask",
}  # fmt: skip
"""Operations on what those tests never made, or have forgotten again."""
TO_OTHERS = {"readDownstreams": 200, "readDownstream": 404, "pullTasks": 404, "readTasks": 200}
"""What the reading ones answer to another tenant."""


def bodies(mark: str) -> dict[str, Any]:
    """Return what each operation that has a body is sent. `mark` shows whose data an answer holds."""
    return {
        "putDownstream": {"kind": "pull", "client": mark, "takes": ["erase"]},
        "confirmTask": {"task": TASK, "outcome": "confirmed"},
        "bringFile": {
            "task": TASK,
            "file": TASK,
            "name": mark,
            "media_type": "text/plain",
            "content": "bm90ZQ==",
        },
        "refuseTask": {"task": TASK, "outcome": "refused", "ground": "legal_claims"},
        "takeOpenDsrStatus": {"subject_request_id": TASK, "request_status": "completed"},
        "excuseTask": {"reason": "impossible"},
    }
