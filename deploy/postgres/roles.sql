-- Run once, by the administrator of an empty PostgreSQL server. The three passwords come from the environment of psql.
-- None of the roles can step around row-level security; only the owner can change tables.
\set ON_ERROR_STOP on
\getenv owner OWNER_PASSWORD
\getenv app APP_PASSWORD
\getenv worker WORKER_PASSWORD
CREATE ROLE volens_owner LOGIN NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE volens_app LOGIN NOBYPASSRLS PASSWORD :'app';
CREATE ROLE volens_worker LOGIN NOBYPASSRLS PASSWORD :'worker';
CREATE DATABASE volens OWNER volens_owner TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE volens FROM PUBLIC;
GRANT CONNECT ON DATABASE volens TO volens_app, volens_worker;
