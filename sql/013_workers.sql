-- The processes that work on studies, seen alive: a lock tells at once that a process is dead, but one that is frozen, or
-- that a network no longer reaches, holds its lock on.

CREATE TABLE e2i.ml_hpo_workers (
    -- The name of its lock, as ml_hpo_trials.worker has it.
    name          text PRIMARY KEY CHECK (name <> ''),
    host          text NOT NULL,
    process_id    integer NOT NULL CHECK (process_id > 0),
    -- It says that it lives several times within so many seconds; after them its trials are given to others.
    lease_seconds double precision NOT NULL CHECK (lease_seconds > 0),
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- By the server's clock alone: those of machines differ.
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE e2i.ml_hpo_workers IS 'processes that work on studies, and when each was last seen alive';
