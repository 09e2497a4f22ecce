-- The searches and every trial of them. Values are in the orientation that the study maximises.

CREATE TABLE e2i.ml_hpo_studies (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_name        varchar(255) NOT NULL UNIQUE CHECK (study_name <> ''),
    spec_hash         text NOT NULL UNIQUE CHECK (spec_hash <> ''),
    experiment_id     uuid NOT NULL REFERENCES e2i.ml_experiments (id),
    split_id          uuid REFERENCES e2i.ml_split_registry (id),
    data_hash         text NOT NULL CHECK (data_hash <> ''),
    algorithm_name    varchar(100) NOT NULL,
    problem_type      e2i.problem_type NOT NULL,
    direction         varchar(20) NOT NULL DEFAULT 'maximize' CHECK (direction IN ('maximize', 'minimize')),
    sampler_name      varchar(50) NOT NULL DEFAULT 'TPESampler',
    pruner_name       varchar(50) NOT NULL DEFAULT 'MedianPruner',
    metric            varchar(50) NOT NULL,
    seed              bigint NOT NULL,
    search_space      e2i.json_object NOT NULL DEFAULT '{}',
    fixed_params      e2i.json_object NOT NULL DEFAULT '{}',
    n_trials          integer NOT NULL DEFAULT 0,
    n_completed       integer NOT NULL DEFAULT 0 CHECK (n_completed >= 0),
    n_pruned          integer NOT NULL DEFAULT 0 CHECK (n_pruned >= 0),
    n_failed          integer NOT NULL DEFAULT 0 CHECK (n_failed >= 0),
    best_trial_number integer CHECK (best_trial_number >= 0),
    best_value        e2i.finite_number,
    best_params       e2i.json_object NOT NULL DEFAULT '{}',
    default_value     e2i.finite_number,
    duration_seconds  e2i.finite_number CHECK (duration_seconds >= 0),
    started_at        timestamptz NOT NULL DEFAULT now(),
    completed_at      timestamptz,
    status            varchar(50) NOT NULL DEFAULT 'running'
                      CHECK (status IN ('running', 'completed', 'partial', 'failed')),
    stop_reason       text,
    error_message     text,
    created_by        varchar(100) NOT NULL DEFAULT 'optuna_optimizer',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    -- So that a training run can name its study by id and by name, and the two cannot disagree.
    UNIQUE (id, study_name),
    CONSTRAINT trials_within_budget CHECK (n_completed + n_pruned + n_failed <= n_trials),
    CONSTRAINT ends_after_start CHECK (completed_at >= started_at),
    CONSTRAINT ended_unless_running CHECK ((status = 'running') = (completed_at IS NULL)),
    CONSTRAINT best_trial_has_value CHECK ((best_trial_number IS NULL) = (best_value IS NULL)),
    CONSTRAINT best_needs_completed_trial CHECK (best_value IS NULL OR status = 'running' OR n_completed > 0),
    CONSTRAINT completed_has_best CHECK (status <> 'completed' OR best_value IS NOT NULL),
    CONSTRAINT failed_has_reason CHECK (status <> 'failed' OR error_message IS NOT NULL)
);

CREATE INDEX ON e2i.ml_hpo_studies (experiment_id);
CREATE INDEX ON e2i.ml_hpo_studies (algorithm_name);
CREATE INDEX ON e2i.ml_hpo_studies (status);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_hpo_studies
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

CREATE TABLE e2i.ml_hpo_trials (
    id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    study_id            uuid NOT NULL REFERENCES e2i.ml_hpo_studies (id) ON DELETE CASCADE,
    trial_number        integer NOT NULL CHECK (trial_number >= 0),
    state               varchar(50) NOT NULL CHECK (state IN ('COMPLETE', 'PRUNED', 'FAIL', 'WAITING', 'RUNNING')),
    origin              varchar(20) NOT NULL CHECK (origin IN ('default', 'warm_start', 'sampler', 'retry')),
    params              e2i.json_object NOT NULL DEFAULT '{}',
    value               e2i.finite_number,
    intermediate_values e2i.json_object NOT NULL DEFAULT '{}',
    datetime_start      timestamptz,
    datetime_complete   timestamptz,
    duration_seconds    e2i.finite_number CHECK (duration_seconds >= 0),
    error_type          text,
    error_message       text,
    user_attrs          e2i.json_object NOT NULL DEFAULT '{}',
    system_attrs        e2i.json_object NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (study_id, trial_number),
    CONSTRAINT complete_has_value CHECK (state <> 'COMPLETE' OR value IS NOT NULL),
    CONSTRAINT fail_has_reason_and_no_value CHECK (state <> 'FAIL' OR (error_message IS NOT NULL AND value IS NULL)),
    CONSTRAINT ends_after_start CHECK (datetime_complete >= datetime_start)
);

CREATE INDEX ON e2i.ml_hpo_trials (state);
CREATE INDEX ON e2i.ml_hpo_trials (value);

-- Deferred: the trials of a study and its summary may be written in either order within one transaction.
ALTER TABLE e2i.ml_hpo_studies
    ADD CONSTRAINT best_trial_exists FOREIGN KEY (id, best_trial_number)
    REFERENCES e2i.ml_hpo_trials (study_id, trial_number) DEFERRABLE INITIALLY DEFERRED;
