-- Settings for the tables that change all the time: psql --username docmill --dbname docmill --file deploy/autovacuum.sql
-- Run it once after the first `docmill db upgrade`. Running it again is harmless, and no lock is held for long.
-- PostgreSQL's defaults vacuum a table when a fifth of it has changed. These tables grow to millions of rows of which
-- only the newest change, so that a fifth comes too late.
\set ON_ERROR_STOP on

-- Each chunk is updated about five times: sent, claimed, renewed, written, closed. The free space in each page keeps the
-- new versions of a row beside the old ones.
ALTER TABLE chunk SET (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000
);
ALTER TABLE job SET (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200,
    autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 200
);
-- Few rows, each of which is updated every 10 seconds.
ALTER TABLE worker SET (
    fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500
);
ALTER TABLE notification SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
-- Rows are only added. A vacuum after inserts freezes them while they are in memory, and lets counts read the index alone.
ALTER TABLE outcome SET (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.02
);
ALTER TABLE document SET (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0.02
);
