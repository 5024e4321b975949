from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from service.exports.domain import (
    Export,
    ExportGone,
    ExportUnknown,
    ExportUnusable,
    FilterUnknown,
    LinkExpired,
    RecipientNeeded,
    TooManyExports,
)
from service.exports.filtering import DropFilter, PutFilter, ReadFilter, ReadFilters
from service.exports.linking import DownloadExport, LinkExport
from service.exports.schemas import (
    CountCreate,
    CountView,
    ExportCreate,
    ExportPage,
    ExportView,
    FilterPage,
    FilterView,
    KindsCreate,
    LinkView,
    SavedName,
)
from service.exports.usecases import (
    ApproveExport,
    CountEntries,
    DeleteExport,
    ReadExport,
    ReadExports,
    RequestExport,
)
from service.kernel import Caller, Clock, DomainError, TenantId, TenantName, exactly
from service.web import pages
from service.web.auth import PUBLIC, needs
from service.web.bodies import StrictBody, strictly
from service.web.lines import PartResponse
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    ExportGone: HTTPStatus.GONE,
    ExportUnknown: HTTPStatus.NOT_FOUND,
    ExportUnusable: HTTPStatus.CONFLICT,
    FilterUnknown: HTTPStatus.NOT_FOUND,
    LinkExpired: HTTPStatus.GONE,
    RecipientNeeded: HTTPStatus.CONFLICT,
    TooManyExports: HTTPStatus.CONFLICT,
}
_KINDS: Final = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8", "pack": "application/zip"}
_ENDS: Final = {"pack": "zip"}
_FILE: Final = {200: ResponseSpec(bytes, media_type="application/octet-stream", description="The file.")}
_NEW: Final = {HTTPStatus.CREATED: ResponseSpec(FilterView, generate_examples=False, description="A new filter")}

OfTenant = Annotated[TenantName, QueryParameter(description="From the link.")]
Key = Annotated[str, QueryParameter(pattern=exactly("[A-Za-z0-9_-]{43}").pattern, description="From the link.")]


class ExportController(Controller):
    """Take entries out of the log, in files that prove themselves."""

    path = "/v1/audit/exports"
    tags = ("Exports",)

    @post(
        operation_id="requestExport",
        opt=needs("audit:export"),
        responses=documented(404, 409),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def ask(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[ExportCreate],
        request_export: NamedDependency[RequestExport],
        clock: NamedDependency[Clock],
    ) -> Response[ExportView]:
        """Ask for an export. The worker writes it; `Location` leads to how far it got.

        A range of entries, by a period or places alone, proves that none is missing. Entries that are picked in any
        other way are each proved to be in their place, and nothing proves that they are all. `csv` proves nothing.
        """
        export = await request_export(strictly(data, ExportCreate).asked(), by=request.user)
        headers = {"location": f"/v1/audit/exports/{export.id}"}
        return Response(_view(export, clock), status_code=HTTPStatus.ACCEPTED, headers=headers)

    @post(
        "/count",
        operation_id="countEntries",
        opt=needs("audit:export"),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def count(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[CountCreate],
        count_entries: NamedDependency[CountEntries],
    ) -> CountView:
        """Count what an export would have in it, by kind, without making one."""
        return CountView.of(await count_entries(strictly(data, CountCreate).asked(), by=request.user))

    @get(operation_id="readExports", opt=needs("audit:export"), responses=documented())
    async def exports(
        self,
        request: Request[Caller, Any, Any],
        read_exports: NamedDependency[ReadExports],
        clock: NamedDependency[Clock],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[ExportPage]:
        """Read what was asked for, the newest first. Follow `Link` until there is none."""
        before = pages.position_in(cursor, UUID)
        exports, more = await read_exports(before=before, limit=limit, by=request.user)
        return pages.page(request, ExportPage(exports=[_view(each, clock) for each in exports]), more)

    @get("/{export:uuid}", operation_id="readExport", opt=needs("audit:export"), responses=documented(404))
    async def read(
        self,
        request: Request[Caller, Any, Any],
        export: FromPath[UUID],
        read_export: NamedDependency[ReadExport],
        clock: NamedDependency[Clock],
    ) -> ExportView:
        """Read how far an export got, and size and SHA-256 of the file once it is done."""
        return _view(await read_export(export, by=request.user), clock)

    @post(
        "/{export:uuid}/approve",
        operation_id="approveExport",
        opt=needs("audit:export"),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def approve(
        self,
        request: Request[Caller, Any, Any],
        export: FromPath[UUID],
        approve_export: NamedDependency[ApproveExport],
        clock: NamedDependency[Clock],
    ) -> ExportView:
        """Agree to what another client asked for, within 24 hours. Nobody agrees for themselves."""
        return _view(await approve_export(export, by=request.user), clock)

    @post(
        "/{export:uuid}/link",
        operation_id="linkExport",
        opt=needs("audit:export"),
        responses=documented(404, 409, 410),
        status_code=HTTPStatus.CREATED,
    )
    async def link(
        self, request: Request[Caller, Any, Any], export: FromPath[UUID], link_export: NamedDependency[LinkExport]
    ) -> Response[LinkView]:
        """Make an address at which the file can be had without a token, for a while. The one before ends."""
        link = await link_export(export, by=request.user)
        view = LinkView.of(link, request.user.tenant, export)
        return Response(view, status_code=HTTPStatus.CREATED)

    @get(
        "/{export:uuid}/file",
        operation_id="downloadExport",
        opt={PUBLIC: True},
        responses=documented(404, 409, 410) | _FILE,
    )
    async def download(
        self,
        request: Request[Any, Any, Any],
        export: FromPath[UUID],
        download_export: NamedDependency[DownloadExport],
        tenant: OfTenant,
        key: Key,
    ) -> Response[bytes]:
        """Have the file of an export, by a link. Each time is an entry of the log."""
        request_id = request.scope["state"]["request_id"]
        file = await download_export(TenantId(tenant), export, key, request=request_id)
        form = file.export.order.form.value
        name = f"{tenant}-{export}.{_ENDS.get(form, form)}"
        headers = {
            "content-type": _KINDS[form],
            "content-length": str(file.size),
            "content-disposition": f'attachment; filename="{name}"',
        }
        return PartResponse(file.parts, headers)

    @delete(
        "/{export:uuid}",
        operation_id="deleteExport",
        opt=needs("audit:export"),
        responses=documented(404),
    )
    async def delete(
        self, request: Request[Caller, Any, Any], export: FromPath[UUID], delete_export: NamedDependency[DeleteExport]
    ) -> Response[None]:
        """Stop an export, or remove its file. That it was asked for stays on record."""
        await delete_export(export, by=request.user)
        return Response(None, status_code=HTTPStatus.NO_CONTENT)


class FilterController(Controller):
    """Keep under a name which entries are wanted again and again. No person can be named in one."""

    path = "/v1/audit/filters"
    tags = ("Exports",)

    @put("/{saved:str}", operation_id="putFilter", opt=needs("audit:export"), responses=documented() | _NEW)
    async def put(
        self,
        request: Request[Caller, Any, Any],
        saved: FromPath[SavedName],
        data: StrictBody[KindsCreate],
        put_filter: NamedDependency[PutFilter],
    ) -> Response[FilterView]:
        """Store a filter, in place of the one of this name."""
        kept, new = await put_filter(saved, strictly(data, KindsCreate).wanted(), by=request.user)
        return Response(FilterView.of(kept), status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @get(operation_id="readFilters", opt=needs("audit:export"), responses=documented())
    async def filters(
        self,
        request: Request[Caller, Any, Any],
        read_filters: NamedDependency[ReadFilters],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[FilterPage]:
        """Read the saved filters by their names. Follow `Link` until there is none."""
        kept, more = await read_filters(after=pages.position_in(cursor, str), limit=limit, by=request.user)
        return pages.page(request, FilterPage(filters=[FilterView.of(each) for each in kept]), more)

    @get("/{saved:str}", operation_id="readFilter", opt=needs("audit:export"), responses=documented(404))
    async def read(
        self,
        request: Request[Caller, Any, Any],
        saved: FromPath[SavedName],
        read_filter: NamedDependency[ReadFilter],
    ) -> FilterView:
        """Read one filter."""
        return FilterView.of(await read_filter(saved, by=request.user))

    @delete(
        "/{saved:str}",
        operation_id="deleteFilter",
        opt=needs("audit:export"),
        responses=documented(404),
    )
    async def delete(
        self,
        request: Request[Caller, Any, Any],
        saved: FromPath[SavedName],
        drop_filter: NamedDependency[DropFilter],
    ) -> Response[None]:
        """Forget a filter. What was exported by it stays as it is."""
        await drop_filter(saved, by=request.user)
        return Response(None, status_code=HTTPStatus.NO_CONTENT)


def _view(export: Export, clock: Clock) -> ExportView:
    return ExportView.of(export, clock())
