-- Fitted models with their study, trial and evaluation, and each access to the test and holdout rows.

CREATE TABLE e2i.ml_model_registry (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    model_name        varchar(255) NOT NULL CHECK (model_name <> ''),
    model_version     varchar(50) NOT NULL,
    -- Hash of the study key and the fitted parameters: training the same again is the same model.
    model_key         text UNIQUE CHECK (model_key <> ''),
    mlflow_run_id     varchar(100),
    mlflow_model_uri  text,
    algorithm         varchar(100) NOT NULL,
    hyperparameters   e2i.json_object NOT NULL DEFAULT '{}',
    feature_count     integer CHECK (feature_count > 0),
    training_samples  bigint CHECK (training_samples > 0),
    auc               e2i.share,
    pr_auc            e2i.share,
    brier_score       e2i.share,
    calibration_slope e2i.finite_number,
    fairness_metrics  e2i.json_object NOT NULL DEFAULT '{}',
    stage             varchar(20) NOT NULL DEFAULT 'development'
                      CHECK (stage IN ('development', 'staging', 'shadow', 'production', 'archived', 'deprecated')),
    is_champion       boolean NOT NULL DEFAULT false,
    artifact_path     text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_name, model_version)
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_model_registry
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

-- At most one champion for each model name.
CREATE UNIQUE INDEX one_champion ON e2i.ml_model_registry (model_name) WHERE is_champion;

CREATE TABLE e2i.ml_training_runs (
    id                       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    spec_hash                text NOT NULL UNIQUE CHECK (spec_hash <> ''),
    experiment_id            uuid NOT NULL REFERENCES e2i.ml_experiments (id),
    model_registry_id        uuid REFERENCES e2i.ml_model_registry (id),
    model_key                text CHECK (model_key <> ''),
    run_name                 varchar(255) NOT NULL CHECK (run_name <> ''),
    mlflow_run_id            varchar(100) UNIQUE,
    dagster_run_id           varchar(100),
    algorithm                varchar(100) NOT NULL,
    hyperparameters          e2i.json_object NOT NULL DEFAULT '{}',
    split_id                 uuid REFERENCES e2i.ml_split_registry (id),
    data_hash                text NOT NULL CHECK (data_hash <> ''),
    training_samples         bigint NOT NULL CHECK (training_samples > 0),
    validation_samples       bigint CHECK (validation_samples >= 0),
    test_samples             bigint CHECK (test_samples >= 0),
    feature_names            e2i.json_array NOT NULL DEFAULT '[]',
    train_metrics            e2i.json_object NOT NULL DEFAULT '{}',
    validation_metrics       e2i.json_object NOT NULL DEFAULT '{}',
    test_metrics             e2i.json_object NOT NULL DEFAULT '{}',
    test_intervals           e2i.json_object NOT NULL DEFAULT '{}',
    default_test_metrics     e2i.json_object,
    baseline_test_metrics    e2i.json_object,
    decision_threshold       e2i.finite_number,
    success_criteria_met     boolean,
    success_criteria_results e2i.json_object,
    model_uri                text,
    status                   varchar(50) NOT NULL DEFAULT 'running'
                             CHECK (status IN ('running', 'scheduled', 'finished', 'failed', 'killed')),
    error_message            text,
    started_at               timestamptz NOT NULL DEFAULT now(),
    completed_at             timestamptz,
    duration_seconds         e2i.finite_number CHECK (duration_seconds >= 0),
    compute_type             varchar(50),
    gpu_used                 boolean NOT NULL DEFAULT false,
    data_split               varchar(20) NOT NULL DEFAULT 'train'
                             CHECK (data_split IN ('train', 'validation', 'test', 'holdout')),
    study_id                 uuid REFERENCES e2i.ml_hpo_studies (id),
    optuna_study_name        varchar(255),
    optuna_trial_number      integer,
    is_best_trial            boolean NOT NULL DEFAULT false,
    pattern_id               uuid REFERENCES e2i.ml_hpo_patterns (pattern_id) ON DELETE SET NULL,
    -- PostgreSQL does not check a foreign key with a null in it: therefore the three checks below.
    CONSTRAINT trial_exists FOREIGN KEY (study_id, optuna_trial_number)
        REFERENCES e2i.ml_hpo_trials (study_id, trial_number),
    CONSTRAINT study_name_matches_study FOREIGN KEY (study_id, optuna_study_name)
        REFERENCES e2i.ml_hpo_studies (id, study_name),
    CONSTRAINT study_has_its_name CHECK ((study_id IS NULL) = (optuna_study_name IS NULL)),
    CONSTRAINT trial_needs_study CHECK (optuna_trial_number IS NULL OR study_id IS NOT NULL),
    CONSTRAINT best_trial_needs_links CHECK (NOT is_best_trial OR (study_id IS NOT NULL AND optuna_trial_number IS NOT NULL)),
    CONSTRAINT ends_after_start CHECK (completed_at >= started_at),
    CONSTRAINT ended_unless_running CHECK ((status IN ('running', 'scheduled')) = (completed_at IS NULL)),
    CONSTRAINT failed_has_reason CHECK (status <> 'failed' OR error_message IS NOT NULL),
    CONSTRAINT finished_has_features CHECK (status <> 'finished' OR jsonb_array_length(feature_names) > 0),
    CONSTRAINT criteria_met_has_results CHECK (success_criteria_met IS NULL OR success_criteria_results IS NOT NULL)
);

CREATE INDEX ON e2i.ml_training_runs (experiment_id);
CREATE INDEX ON e2i.ml_training_runs (status);
CREATE INDEX ON e2i.ml_training_runs (study_id) WHERE is_best_trial;

CREATE TABLE e2i.ml_segment_metrics (
    training_run_id uuid NOT NULL REFERENCES e2i.ml_training_runs (id) ON DELETE CASCADE,
    column_name     text NOT NULL CHECK (column_name <> ''),
    segment         text NOT NULL,
    test_rows       bigint NOT NULL CHECK (test_rows > 0),
    -- Too few rows for a comparison with other segments.
    is_small        boolean NOT NULL,
    test_metrics    e2i.json_object NOT NULL,
    test_intervals  e2i.json_object NOT NULL,
    PRIMARY KEY (training_run_id, column_name, segment)
);

-- Each evaluation of a model on the test rows; the first is that of its training.
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

-- Each opening of the holdout, counted by experiment: rows keep their role, so newer data have the same holdout rows.
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

-- One row for each training run, with its experiment, study, trial, split, data and MLflow run.
CREATE VIEW e2i.training_run_links AS
SELECT
    experiment.experiment_name,
    run.id AS training_run_id,
    run.spec_hash,
    run.status,
    run.algorithm,
    study.id AS study_id,
    study.study_name,
    study.best_trial_number,
    study.best_value,
    trial.params AS trial_params,
    run.hyperparameters,
    run.pattern_id,
    run.split_id,
    run.data_hash,
    run.mlflow_run_id,
    run.dagster_run_id,
    run.model_uri,
    run.test_metrics
FROM e2i.ml_training_runs AS run
JOIN e2i.ml_experiments AS experiment ON experiment.id = run.experiment_id
LEFT JOIN e2i.ml_hpo_studies AS study ON study.id = run.study_id
LEFT JOIN e2i.ml_hpo_trials AS trial
    ON trial.study_id = run.study_id AND trial.trial_number = run.optuna_trial_number;
