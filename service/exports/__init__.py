"""What officers take out of the audit log: asked for, agreed to, written by the worker, had by a link."""

from service.exports.domain import (
    Asked,
    Claimed,
    Counted,
    Export,
    ExportPurpose,
    Form,
    Made,
    Order,
    Outcome,
    Personal,
    State,
    Wanted,
)
from service.exports.filtering import DropFilter, PutFilter, ReadFilter, ReadFilters
from service.exports.linking import DownloadExport, LinkExport
from service.exports.ports import Count, ExportFailed, ExportStore, Files, Progress, Writing
from service.exports.usecases import (
    ApproveExport,
    CountEntries,
    DeleteExport,
    ReadExport,
    ReadExports,
    RequestExport,
    resolved,
)

__all__ = [
    "ApproveExport",
    "Asked",
    "Claimed",
    "Count",
    "CountEntries",
    "Counted",
    "DeleteExport",
    "DownloadExport",
    "DropFilter",
    "Export",
    "ExportFailed",
    "ExportPurpose",
    "ExportStore",
    "Files",
    "Form",
    "LinkExport",
    "Made",
    "Order",
    "Outcome",
    "Personal",
    "Progress",
    "PutFilter",
    "ReadExport",
    "ReadExports",
    "ReadFilter",
    "ReadFilters",
    "RequestExport",
    "State",
    "Wanted",
    "Writing",
    "resolved",
]
