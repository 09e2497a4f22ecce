-- Automation: requested runs, the state of sources, champions, drift, and alerts.

-- Runs that a sensor or a schedule requests. A request is repeated under the same key until Dagster has a run of that key,
-- so a daemon that dies in between neither loses a run nor starts it twice.
CREATE TABLE e2i.ml_run_requests (
    run_key        text PRIMARY KEY CHECK (run_key <> ''),
    experiment_id  uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    cause          text NOT NULL CHECK (cause IN ('new_experiment', 'changed_data', 'drifted_data', 'age')),
    -- Hash of what the run is for: the experiment's file, the rows, or the newer rows.
    content_hash   text NOT NULL CHECK (content_hash <> ''),
    reason         text NOT NULL CHECK (reason ~ '\S'),
    -- not_needed: the result of the run existed already.
    status         text NOT NULL DEFAULT 'asked' CHECK (status IN ('asked', 'launched', 'not_needed')),
    dagster_run_id varchar(100),
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    launched_at    timestamptz,
    CHECK ((status = 'launched') = (dagster_run_id IS NOT NULL)),
    CHECK ((status = 'launched') = (launched_at IS NOT NULL))
);

CREATE INDEX ON e2i.ml_run_requests (experiment_id, cause, requested_at DESC);
CREATE INDEX ON e2i.ml_run_requests (cause, requested_at) WHERE status = 'asked';

-- The state of a source when a run last began to read it: a hash of the file, or the result of the watermark query. A failed
-- run counts too: the same rows would make it fail again.
CREATE TABLE e2i.ml_source_states (
    experiment_id uuid PRIMARY KEY REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    fingerprint   text NOT NULL CHECK (fingerprint <> ''),
    read_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Each comparison of a new model with the champion on the same test rows, and its result.
CREATE TABLE e2i.ml_champion_decisions (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id        uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    challenger_key       text NOT NULL CHECK (challenger_key <> ''),
    -- Null: the experiment had no champion.
    champion_key         text CHECK (champion_key <> ''),
    split_id             uuid REFERENCES e2i.ml_split_registry (id) ON DELETE SET NULL,
    metric               text NOT NULL CHECK (metric <> ''),
    test_rows            bigint NOT NULL CHECK (test_rows >= 0),
    challenger_value     e2i.finite_number,
    champion_value       e2i.finite_number,
    -- How much better the challenger is, with the paired 95 % interval.
    gain                 e2i.finite_number,
    gain_low             e2i.finite_number,
    gain_high            e2i.finite_number,
    promoted             boolean NOT NULL,
    reason               text NOT NULL CHECK (reason ~ '\S'),
    -- A copy of the model's folder that no later training changes, and its decision threshold.
    model_folder         text NOT NULL CHECK (model_folder <> ''),
    decision_threshold   e2i.finite_number,
    mlflow_model_version text,
    decided_at           timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX ON e2i.ml_champion_decisions (experiment_id, decided_at DESC);

-- Each drift scan of rows that are newer than the training rows.
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

-- When the last alert for each cause of failure was sent, and how often the cause occurred since.
CREATE TABLE e2i.ml_alerts (
    cause       text PRIMARY KEY CHECK (cause <> ''),
    told_at     timestamptz NOT NULL,
    times       bigint NOT NULL DEFAULT 1 CHECK (times > 0),
    untold      bigint NOT NULL DEFAULT 0 CHECK (untold >= 0),
    last_text   text NOT NULL
);
