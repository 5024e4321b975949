"""What the routes about exports are made of."""

import os
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from service.choosing import counter
from service.exports import (
    ApproveExport,
    CountEntries,
    DeleteExport,
    DownloadExport,
    DropFilter,
    LinkExport,
    PutFilter,
    ReadExport,
    ReadExports,
    ReadFilter,
    ReadFilters,
    RequestExport,
)
from service.exports.files import ExportFiles
from service.exports.recipients import is_recipient
from service.kernel import Clock, NewId
from service.settings import Settings
from service.transaction import Begin

FOLDER: Final = "exports"
_KEY: Final = 32
"""Random bytes in a link."""


def files_of(settings: Settings) -> ExportFiles:
    """Return where the files of exports are: worker and service have to share it."""
    return ExportFiles(Path(settings.exports_dir).absolute() if settings.exports_dir else settings.data / FOLDER)


def parts(settings: Settings, begin: Begin, clock: Clock, new_id: NewId) -> Mapping[str, Any]:
    """Return the use cases by the names that the routes have for them."""
    files = files_of(settings)
    lasts = timedelta(seconds=settings.export_link_seconds)
    return {
        "clock": clock,
        "request_export": RequestExport(begin, is_recipient, clock, new_id, four_eyes=settings.export_four_eyes),
        "count_entries": CountEntries(begin, counter(begin)),
        "read_export": ReadExport(begin),
        "read_exports": ReadExports(begin),
        "approve_export": ApproveExport(begin, clock),
        "link_export": LinkExport(begin, partial(os.urandom, _KEY), clock, lasts=lasts),
        "download_export": DownloadExport(begin, files, clock),
        "delete_export": DeleteExport(begin, files, clock),
        "put_filter": PutFilter(begin, clock),
        "read_filter": ReadFilter(begin),
        "read_filters": ReadFilters(begin),
        "drop_filter": DropFilter(begin),
    }
