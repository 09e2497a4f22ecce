-- Registered experiments, the split of their rows, and the leakage checks of each split.

CREATE TABLE e2i.ml_experiments (
    id                       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_name          text NOT NULL UNIQUE CHECK (experiment_name <> ''),
    mlflow_experiment_id     text UNIQUE,
    description              text,
    prediction_target        text,
    target_population        text,
    observation_window_days  integer CHECK (observation_window_days > 0),
    prediction_window_days   integer CHECK (prediction_window_days > 0),
    minimum_auc              double precision CHECK (minimum_auc BETWEEN 0.5 AND 1),
    minimum_precision_at_k   e2i.share,
    maximum_fpr              e2i.share,
    brand                    text,
    region                   text,
    data_split               text,
    created_by               text,
    spec                     e2i.json_object NOT NULL,
    spec_hash                text NOT NULL CHECK (spec_hash <> ''),
    -- An experiment that was registered without a file is not retired when there is no file of its name.
    from_file                boolean NOT NULL DEFAULT false,
    is_active                boolean NOT NULL DEFAULT true,
    retired_at               timestamptz,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    CHECK (is_active = (retired_at IS NULL))
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_experiments
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

-- split_hash identifies the split of these rows, config_hash the split settings: a split of newer rows finds the roles
-- that its entities already have by config_hash.
CREATE TABLE e2i.ml_split_registry (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id    uuid NOT NULL REFERENCES e2i.ml_experiments (id),
    split_hash       text NOT NULL CHECK (split_hash <> ''),
    config_hash      text NOT NULL CHECK (config_hash <> ''),
    data_hash        text NOT NULL CHECK (data_hash <> ''),
    strategy         text NOT NULL CHECK (strategy <> ''),
    train_ratio      e2i.share NOT NULL,
    validation_ratio e2i.share NOT NULL,
    test_ratio       e2i.share NOT NULL,
    holdout_ratio    e2i.share NOT NULL,
    seed             bigint NOT NULL,
    group_column     text,
    time_column      text,
    gap_days         integer NOT NULL DEFAULT 0 CHECK (gap_days >= 0),
    train_rows       bigint NOT NULL CHECK (train_rows > 0),
    validation_rows  bigint NOT NULL CHECK (validation_rows > 0),
    test_rows        bigint NOT NULL CHECK (test_rows >= 0),
    holdout_rows     bigint NOT NULL CHECK (holdout_rows >= 0),
    row_count        bigint NOT NULL,
    -- Where time decides: the last time of each role's period, as numbers or as dates in text. Later rows reuse them.
    boundaries       e2i.json_array NOT NULL DEFAULT '[]',
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, split_hash),
    CHECK (abs(train_ratio + validation_ratio + test_ratio + holdout_ratio - 1) <= 0.001),
    -- Rows in the gap between two periods have no role.
    CHECK (train_rows + validation_rows + test_rows + holdout_rows <= row_count)
);

CREATE INDEX ON e2i.ml_split_registry (experiment_id, config_hash, created_at DESC);

-- An entity is the group where rows are grouped, else the row. The primary key allows it one role a split.
CREATE TABLE e2i.ml_split_assignments (
    split_id   uuid NOT NULL REFERENCES e2i.ml_split_registry (id) ON DELETE CASCADE,
    entity_key text NOT NULL,
    role       text NOT NULL CHECK (role IN ('train', 'validation', 'test', 'holdout')),
    PRIMARY KEY (split_id, entity_key)
);

-- One row for each leakage check of a split. A refused split has rows here and none in ml_split_registry, therefore
-- there is no foreign key.
CREATE TABLE e2i.ml_leakage_audit (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id    uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    data_hash        text NOT NULL CHECK (data_hash <> ''),
    split_hash       text NOT NULL CHECK (split_hash <> ''),
    check_type       text NOT NULL CHECK (check_type <> ''),
    passed           boolean NOT NULL,
    severity         text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    affected_records bigint NOT NULL CHECK (affected_records >= 0),
    details          text NOT NULL CHECK (details <> ''),
    examples         e2i.json_array NOT NULL DEFAULT '[]',
    checked_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, split_hash, check_type),
    CHECK (passed = (severity = 'info'))
);

CREATE INDEX ON e2i.ml_leakage_audit (experiment_id, checked_at DESC);
