"""What the tables of the tests of all operations have of imports: how they are asked."""

from typing import Any

TO_OTHERS = {"exportRecords": 200}
"""What another tenant is answered: everybody of its own, and that is nobody."""


def bodies(mark: str, subject: str) -> dict[str, Any]:
    """Return what each operation that has a body is sent."""
    said = {"ts": "2026-11-20T12:00:00Z", "channel": "sms", "purpose": "marketing", "action": "opt_out", "brand": mark}
    return {"importRecords": [{"subject": subject, **said}]}
