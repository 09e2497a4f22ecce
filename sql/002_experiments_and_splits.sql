-- What is predicted, and which entity plays which role in it.

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
    is_active                boolean NOT NULL DEFAULT true,
    retired_at               timestamptz,
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now(),
    CHECK (is_active = (retired_at IS NULL))
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_experiments
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

-- split_hash identifies the split of these rows; config_hash the way of splitting, so that a split of newer rows can
-- find the roles that its entities already had.
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
    created_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, split_hash),
    CHECK (abs(train_ratio + validation_ratio + test_ratio + holdout_ratio - 1) <= 0.001),
    -- Rows that fall into the gap between two periods play no role.
    CHECK (train_rows + validation_rows + test_rows + holdout_rows <= row_count)
);

CREATE INDEX ON e2i.ml_split_registry (experiment_id, config_hash, created_at DESC);

-- An entity is the group where rows are grouped, else the row: the key makes a second role for it impossible.
CREATE TABLE e2i.ml_split_assignments (
    split_id   uuid NOT NULL REFERENCES e2i.ml_split_registry (id) ON DELETE CASCADE,
    entity_key text NOT NULL,
    role       text NOT NULL CHECK (role IN ('train', 'validation', 'test', 'holdout')),
    PRIMARY KEY (split_id, entity_key)
);
