"""The job queue: the application queues a job with its cause and sees none, the worker works them."""

import psycopg
import pytest
from procrastinate import App, PsycopgConnector

DEFER = """
    SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[
        ROW('tree', 'grow', 0, NULL, NULL, '{"tenant": "acme"}', NULL)::jobs.procrastinate_job_to_defer_v1
    ])
"""


@pytest.fixture
def app(database):
    with psycopg.connect(database.urls.app, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def queue(database):
    """Connect as the worker, whose names without a schema mean those in `jobs`."""
    connector = PsycopgConnector(conninfo=database.urls.worker, kwargs={"options": "-c search_path=jobs"})
    async with App(connector=connector).open_async() as queue:
        yield queue


async def test_a_job_that_the_application_queued_is_worked(app, queue):
    seen = []

    @queue.task(name="grow", queue="tree")
    async def grow(tenant: str) -> None:
        seen.append(tenant)

    app.execute(DEFER)
    await queue.run_worker_async(wait=False, listen_notify=False, install_signal_handlers=False)

    assert seen == ["acme"]


async def test_the_worker_may_queue_and_forget_jobs_of_its_own(queue):
    seen = []

    @queue.task(name="tidy", queue="tidy")
    async def tidy(number: int) -> None:
        seen.append(number)

    await tidy.defer_async(number=7)
    await queue.run_worker_async(
        queues=["tidy"], wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="always"
    )

    assert seen == [7]
    assert list(await queue.job_manager.list_jobs_async(queue="tidy")) == []


def test_a_job_vanishes_with_the_work_that_failed(app, database):
    with app.transaction(force_rollback=True):
        app.execute(DEFER)

    with psycopg.connect(database.urls.worker) as worker:
        assert worker.execute("SELECT count(*) FROM jobs.procrastinate_jobs WHERE status = 'todo'").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM jobs.procrastinate_jobs",
        "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name) VALUES ('tree', 'grow')",
        "SELECT jobs.procrastinate_fetch_job_v2(NULL, 1)",
        "SELECT jobs.procrastinate_finish_job_v1(1, 'succeeded', true)",
    ],
)
def test_the_application_may_do_nothing_else_with_jobs(app, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


def test_a_function_with_its_owners_rights_looks_for_names_in_its_own_schema_alone(app):
    """Otherwise a temporary table of the caller's could stand in for the queue."""
    app.execute("CREATE TEMP TABLE procrastinate_jobs (LIKE pg_catalog.pg_class)")

    assert app.execute(DEFER).fetchone() is not None
