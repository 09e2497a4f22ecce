-- What a model is worth and for whom, which version it is, and who has looked at the rows that nobody should look at twice.

-- A model is a study's identity with the parameters that were fitted: training the same again is not another model.
ALTER TABLE e2i.ml_training_runs
    ADD COLUMN model_key             text CHECK (model_key <> ''),
    ADD COLUMN test_intervals        e2i.json_object NOT NULL DEFAULT '{}',
    ADD COLUMN baseline_test_metrics e2i.json_object;

ALTER TABLE e2i.ml_model_registry
    ADD COLUMN model_key text UNIQUE CHECK (model_key <> '');

CREATE TABLE e2i.ml_segment_metrics (
    training_run_id uuid NOT NULL REFERENCES e2i.ml_training_runs (id) ON DELETE CASCADE,
    column_name     text NOT NULL CHECK (column_name <> ''),
    segment         text NOT NULL,
    test_rows       bigint NOT NULL CHECK (test_rows > 0),
    -- Too few rows to be compared with the others.
    is_small        boolean NOT NULL,
    test_metrics    e2i.json_object NOT NULL,
    test_intervals  e2i.json_object NOT NULL,
    PRIMARY KEY (training_run_id, column_name, segment)
);

-- Each time that the test rows were used to judge a model; the first is the training's own.
CREATE TABLE e2i.ml_test_looks (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    model_key       text NOT NULL CHECK (model_key <> ''),
    look            integer NOT NULL CHECK (look > 0),
    training_run_id uuid NOT NULL REFERENCES e2i.ml_training_runs (id),
    dagster_run_id  varchar(100),
    looked_by       text NOT NULL CHECK (looked_by ~ '\S'),
    reason          text NOT NULL CHECK (reason ~ '\S'),
    looked_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (model_key, look)
);

-- Each time that the holdout was opened, counted by experiment: rows keep their role, so newer data hold the same ones.
CREATE TABLE e2i.ml_holdout_openings (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id      uuid NOT NULL REFERENCES e2i.ml_experiments (id),
    opening            integer NOT NULL CHECK (opening > 0),
    training_run_id    uuid NOT NULL REFERENCES e2i.ml_training_runs (id),
    model_key          text NOT NULL CHECK (model_key <> ''),
    split_id           uuid REFERENCES e2i.ml_split_registry (id),
    opened_by          text NOT NULL CHECK (opened_by ~ '\S'),
    reason             text NOT NULL CHECK (reason ~ '\S'),
    opened_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    holdout_rows       bigint NOT NULL CHECK (holdout_rows > 0),
    decision_threshold e2i.finite_number,
    metrics            e2i.json_object NOT NULL,
    intervals          e2i.json_object NOT NULL,
    UNIQUE (experiment_id, opening)
);
