from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from service.downstreams.answering import AnswerTask, ExcuseTask, ReadTasks, RepeatTask, TakeStatus
from service.downstreams.domain import SignatureRefused, Task, TaskState, TaskUnknown
from service.downstreams.handing import TakeFile
from service.downstreams.opendsr import Stands, signed_as
from service.downstreams.pulling import PullTasks
from service.downstreams.schemas import SystemName
from service.downstreams.signatures import Message
from service.downstreams.task_schemas import (
    FileBring,
    FileView,
    OwnTaskPage,
    OwnTaskView,
    TaskConfirm,
    TaskExcuse,
    TaskPage,
    TaskRefuse,
    TaskView,
)
from service.kernel import Caller, TenantId, TenantName
from service.web import pages
from service.web.auth import PUBLIC, needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

FILE_BODY: Final = 23 * 1024 * 1024
"""Bytes of the body that brings the largest file, in base64, and what is said of it."""
_NEW_FILE: Final = ResponseSpec(FileView, generate_examples=False, description="A new file")
OfTenant = Annotated[
    TenantName | None,
    QueryParameter(description="Whose system it is, where a signature stands for a token."),
]
WhoseSystem = Annotated[TenantName, QueryParameter(description="Whose system it is.")]
InState = Annotated[TaskState | None, QueryParameter(name="state", description="Those in this state.")]
OfSystem = Annotated[SystemName | None, QueryParameter(name="system", description="Those of this system.")]
OfRequest = Annotated[UUID | None, QueryParameter(name="request", description="Those for this request.")]


class SystemController(Controller):
    """What connected systems ask, and answer, themselves."""

    path = "/v1/downstreams/{system:str}"
    tags = ("Downstreams",)

    @get("/tasks", operation_id="pullTasks", opt=needs("downstreams:tasks"), responses=documented(404))
    async def pull(
        self,
        request: Request[Caller, Any, Any],
        system: FromPath[SystemName],
        pull_tasks: NamedDependency[PullTasks],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[OwnTaskPage]:
        """Ask for the tasks of your own system, with whom they are about, as long as it owes an answer to them.

        The token must be that of the client whom the system is registered with.
        """
        after = pages.position_in(cursor, UUID)
        tasks, more = await pull_tasks(system, after=after, limit=limit, by=request.user)
        return pages.page(request, OwnTaskPage(tasks=[OwnTaskView.of(each.task, each.person) for each in tasks]), more)

    @post(
        "/tasks/{task_id:uuid}/confirm",
        operation_id="confirmTask",
        opt=needs("downstreams:tasks", signed=True),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def confirm(
        self,
        request: Request[Any, Any, Any],
        system: FromPath[SystemName],
        task_id: FromPath[UUID],
        data: StrictBody[TaskConfirm],
        answer_task: NamedDependency[AnswerTask],
        tenant: OfTenant = None,
    ) -> TaskView:
        """Say that your system did what the task says.

        With the token of its client; or without one, signed as Standard Webhooks has it, under the system's secret:
        `webhook-id` (new each time), `webhook-timestamp`, `webhook-signature`, and `tenant` in the address.
        """
        said = strictly(data, TaskConfirm)
        return await _answered(request, answer_task, tenant, system, task_id, said)

    @post(
        "/tasks/{task_id:uuid}/refuse",
        operation_id="refuseTask",
        opt=needs("downstreams:tasks", signed=True),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def refuse(
        self,
        request: Request[Any, Any, Any],
        system: FromPath[SystemName],
        task_id: FromPath[UUID],
        data: StrictBody[TaskRefuse],
        answer_task: NamedDependency[AnswerTask],
        tenant: OfTenant = None,
    ) -> TaskView:
        """Say why your system doesn't do what the task says: by token or signed, as for a confirmation."""
        said = strictly(data, TaskRefuse)
        return await _answered(request, answer_task, tenant, system, task_id, said)

    @put(
        "/tasks/{task_id:uuid}/files/{file_id:uuid}",
        operation_id="bringFile",
        opt=needs("downstreams:tasks", signed=True),
        responses=documented(404, 409, 410) | {HTTPStatus.CREATED: _NEW_FILE},
        status_code=HTTPStatus.OK,
        request_max_body_size=FILE_BODY,
    )
    async def bring(
        self,
        request: Request[Any, Any, Any],
        system: FromPath[SystemName],
        task_id: FromPath[UUID],
        file_id: FromPath[UUID],
        data: StrictBody[FileBring],
        take_file: NamedDependency[TakeFile],
        tenant: OfTenant = None,
    ) -> Response[FileView]:
        """Bring a file of what your system holds about the person, for a task to hand over a copy; then confirm it.

        By token or signed, as for a confirmation. What you bring lies sealed under the person's key until their package
        is over. The same file again changes nothing.
        """
        said = strictly(data, FileBring)
        caller: Caller | None = request.scope.get("user")
        if caller is not None:
            if (said.task, said.file) != (task_id, file_id):
                raise TaskUnknown("the body names another file than the address", pointers=["/task", "/file"])
            new = await take_file.by_token(system, task_id, file_id, said.plain(), by=caller)
        else:
            if tenant is None or (said.task, said.file) != (task_id, file_id):
                raise SignatureRefused("the message is not signed for this file")
            message = Message.of(request.headers, await request.body())
            new = await take_file.by_signature(
                TenantId(tenant), system, task_id, file_id, said.plain(), message, request=_request_id(request)
            )
        view = FileView(id=file_id, task=task_id, size=len(said.content))
        return Response(view, status_code=HTTPStatus.CREATED if new else HTTPStatus.OK)

    @post(
        "/opendsr",
        operation_id="takeOpenDsrStatus",
        opt={PUBLIC: True},
        responses=documented(404),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def status(
        self,
        request: Request[Any, Any, Any],
        system: FromPath[SystemName],
        data: StrictBody[Stands],
        take_status: NamedDependency[TakeStatus],
        tenant: WhoseSystem,
    ) -> Response[None]:
        """Take the status callback of an OpenDSR 2.0 processor (its section 8.6), signed by its certificate.

        Nothing of the body is looked at before its signature is.
        """
        domain, signature = signed_as(request.headers)
        await take_status(
            TenantId(tenant), system, domain, signature, await request.body(), request=_request_id(request)
        )
        return Response(None, status_code=HTTPStatus.ACCEPTED)


class TaskController(Controller):
    """What officers see of the systems' tasks, and do about silence."""

    path = "/v1/downstream-tasks"
    tags = ("Downstreams",)

    @get(operation_id="readTasks", opt=needs("requests:manage"), responses=documented())
    async def all(
        self,
        request: Request[Caller, Any, Any],
        read_tasks: NamedDependency[ReadTasks],
        in_state: InState = None,
        of_system: OfSystem = None,
        of_request: OfRequest = None,
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[TaskPage]:
        """Read what systems were told, the oldest first. Conditions narrow it down; each must hold."""
        tasks, more = await read_tasks(
            state=in_state,
            system=of_system,
            request=of_request,
            after=pages.position_in(cursor, UUID),
            limit=limit,
            by=request.user,
        )
        return pages.page(request, TaskPage(tasks=[TaskView.of(task) for task in tasks]), more)

    @post(
        "/{task_id:uuid}/excuse",
        operation_id="excuseTask",
        opt=needs("requests:manage"),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def excuse(
        self,
        request: Request[Caller, Any, Any],
        task_id: FromPath[UUID],
        data: StrictBody[TaskExcuse],
        excuse_task: NamedDependency[ExcuseTask],
    ) -> TaskView:
        """Let the case go on without the answer of a silent system, and say why."""
        return TaskView.of(await excuse_task(task_id, strictly(data, TaskExcuse).reason, by=request.user))

    @post(
        "/{task_id:uuid}/repeat",
        operation_id="repeatTask",
        opt=needs("requests:manage"),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def repeat(
        self, request: Request[Caller, Any, Any], task_id: FromPath[UUID], repeat_task: NamedDependency[RepeatTask]
    ) -> TaskView:
        """Tell a silent system once more, from the first attempt on, and wait for its answer as at first."""
        return TaskView.of(await repeat_task(task_id, by=request.user))


async def _answered(
    request: Request[Any, Any, Any],
    answer_task: AnswerTask,
    tenant: str | None,
    system: str,
    task_id: UUID,
    said: TaskConfirm | TaskRefuse,
) -> TaskView:
    """Hand on an answer with what shows whose it is."""
    caller: Caller | None = request.scope.get("user")
    task: Task
    if caller is not None:
        if said.task != task_id:
            raise TaskUnknown("the body names another task than the address", pointers=["/task"])
        task = await answer_task.by_token(system, task_id, said.answer(), by=caller)
    else:
        if tenant is None or said.task != task_id:
            raise SignatureRefused("the message is not signed for this task")
        message = Message.of(request.headers, await request.body())
        task = await answer_task.by_signature(
            TenantId(tenant), system, task_id, said.answer(), message, request=_request_id(request)
        )
    return TaskView.of(task)


def _request_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["state"]["request_id"])
