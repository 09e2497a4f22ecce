-- What the graph does by itself: which runs were asked for and why, what the sources held when they were read, which
-- model is the champion, what was noticed in newer rows, and which alarms were given.

-- Where a registered experiment comes from decides what it means that there is no file of it: until now all came from
-- files.
ALTER TABLE e2i.ml_experiments ADD COLUMN from_file boolean NOT NULL DEFAULT true;
ALTER TABLE e2i.ml_experiments ALTER COLUMN from_file SET DEFAULT false;

-- Runs that a sensor or a schedule asks Dagster for. A request is repeated, under the same key, until Dagster knows a
-- run of that key: so a daemon that dies in between loses none and starts none twice.
CREATE TABLE e2i.ml_run_requests (
    run_key        text PRIMARY KEY CHECK (run_key <> ''),
    experiment_id  uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    cause          text NOT NULL CHECK (cause IN ('new_experiment', 'changed_data', 'drifted_data', 'age')),
    -- Identity of what it is asked for: of the experiment's file, of the rows, of the newer rows.
    content_hash   text NOT NULL CHECK (content_hash <> ''),
    reason         text NOT NULL CHECK (reason ~ '\S'),
    -- not_needed: what the run would make was there already.
    status         text NOT NULL DEFAULT 'asked' CHECK (status IN ('asked', 'launched', 'not_needed')),
    dagster_run_id varchar(100),
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    launched_at    timestamptz,
    CHECK ((status = 'launched') = (dagster_run_id IS NOT NULL)),
    CHECK ((status = 'launched') = (launched_at IS NOT NULL))
);

CREATE INDEX ON e2i.ml_run_requests (experiment_id, cause, requested_at DESC);
CREATE INDEX ON e2i.ml_run_requests (cause, requested_at) WHERE status = 'asked';

-- What a source held when a run last set out to read its rows: a hash of the file, or what the database says of the
-- query. A run that failed counts: the same rows would make it fail again.
CREATE TABLE e2i.ml_source_states (
    experiment_id uuid PRIMARY KEY REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    fingerprint   text NOT NULL CHECK (fingerprint <> ''),
    read_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Each time that a new model stood beside the champion on the same test rows, and who was the champion afterwards.
CREATE TABLE e2i.ml_champion_decisions (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id        uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    challenger_key       text NOT NULL CHECK (challenger_key <> ''),
    -- Null: there was no champion.
    champion_key         text CHECK (champion_key <> ''),
    split_id             uuid REFERENCES e2i.ml_split_registry (id) ON DELETE SET NULL,
    metric               text NOT NULL CHECK (metric <> ''),
    test_rows            bigint NOT NULL CHECK (test_rows >= 0),
    challenger_value     e2i.finite_number,
    champion_value       e2i.finite_number,
    -- How much better the challenger is, with its paired 95 % interval.
    gain                 e2i.finite_number,
    gain_low             e2i.finite_number,
    gain_high            e2i.finite_number,
    promoted             boolean NOT NULL,
    reason               text NOT NULL CHECK (reason ~ '\S'),
    -- A copy of the model's folder that no later training writes to, and the threshold that it decides at.
    model_folder         text NOT NULL CHECK (model_folder <> ''),
    decision_threshold   e2i.finite_number,
    mlflow_model_version text,
    decided_at           timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX ON e2i.ml_champion_decisions (experiment_id, decided_at DESC);
-- At most one champion a model name.
CREATE UNIQUE INDEX one_champion ON e2i.ml_model_registry (model_name) WHERE is_champion;

-- Each look at newer rows than those that were trained on.
CREATE TABLE e2i.ml_drift_reports (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id  uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    fingerprint    text NOT NULL CHECK (fingerprint <> ''),
    rows_seen      bigint NOT NULL CHECK (rows_seen >= 0),
    labelled_rows  bigint NOT NULL CHECK (labelled_rows >= 0),
    drifted        boolean NOT NULL,
    reason         text NOT NULL CHECK (reason ~ '\S'),
    features       e2i.json_array NOT NULL DEFAULT '[]',
    metric         text,
    metric_then    e2i.finite_number,
    metric_now     e2i.finite_number,
    looked_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX ON e2i.ml_drift_reports (experiment_id, looked_at DESC);

-- When each cause of failure was last told to somebody, and how often it has come since.
CREATE TABLE e2i.ml_alerts (
    cause       text PRIMARY KEY CHECK (cause <> ''),
    told_at     timestamptz NOT NULL,
    times       bigint NOT NULL DEFAULT 1 CHECK (times > 0),
    untold      bigint NOT NULL DEFAULT 0 CHECK (untold >= 0),
    last_text   text NOT NULL
);
