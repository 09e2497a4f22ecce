-- Studies, their trials, and the processes that work on them. A value is stored so that higher is better.

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
    objective         text NOT NULL DEFAULT 'validation' CHECK (objective IN ('validation', 'cross_validation')),
    objectives        jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(objectives) = 'array'),
    constraints       e2i.json_object NOT NULL DEFAULT '{}',
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
    -- How many processes have joined so far: each gets its own sampler seed.
    n_joined          integer NOT NULL DEFAULT 0 CHECK (n_joined >= 0),
    stop_reason       text,
    error_message     text,
    created_by        varchar(100) NOT NULL DEFAULT 'optuna_optimizer',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    -- The target of a foreign key: a training run references its study by id and name, which then cannot disagree.
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
    objective_values    e2i.json_object NOT NULL DEFAULT '{}',
    constraint_values   e2i.json_object NOT NULL DEFAULT '{}',
    is_feasible         boolean NOT NULL DEFAULT true,
    is_pareto           boolean NOT NULL DEFAULT false,
    intermediate_values e2i.json_object NOT NULL DEFAULT '{}',
    datetime_start      timestamptz,
    datetime_complete   timestamptz,
    duration_seconds    e2i.finite_number CHECK (duration_seconds >= 0),
    -- The name of the advisory lock that the working process holds: a running trial whose lock is free lost its process.
    worker              text,
    error_type          text,
    error_message       text,
    user_attrs          e2i.json_object NOT NULL DEFAULT '{}',
    system_attrs        e2i.json_object NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL DEFAULT now(),
    UNIQUE (study_id, trial_number),
    CONSTRAINT complete_has_value CHECK (state <> 'COMPLETE' OR value IS NOT NULL),
    CONSTRAINT fail_has_reason_and_no_value CHECK (state <> 'FAIL' OR (error_message IS NOT NULL AND value IS NULL)),
    CONSTRAINT pareto_is_complete CHECK (NOT is_pareto OR (state = 'COMPLETE' AND is_feasible)),
    CONSTRAINT ends_after_start CHECK (datetime_complete >= datetime_start)
);

CREATE INDEX ON e2i.ml_hpo_trials (state);
CREATE INDEX ON e2i.ml_hpo_trials (value);

-- Deferred: one transaction may write a study and its trials in either order.
ALTER TABLE e2i.ml_hpo_studies
    ADD CONSTRAINT best_trial_exists FOREIGN KEY (id, best_trial_number)
    REFERENCES e2i.ml_hpo_trials (study_id, trial_number) DEFERRABLE INITIALLY DEFERRED;

-- Each claim of a trial counts the running trials of its study.
CREATE INDEX ml_hpo_trials_running ON e2i.ml_hpo_trials (study_id) WHERE state = 'RUNNING';

-- A lock shows at once that a process is dead, but a frozen or disconnected process keeps its lock: it has a lease too.
CREATE TABLE e2i.ml_hpo_workers (
    -- The name of its lock, as in ml_hpo_trials.worker.
    name          text PRIMARY KEY CHECK (name <> ''),
    host          text NOT NULL,
    process_id    integer NOT NULL CHECK (process_id > 0),
    -- A process that was not seen for so many seconds loses its trials to others.
    lease_seconds double precision NOT NULL CHECK (lease_seconds > 0),
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- By the server's clock: the clocks of machines differ.
    seen_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE e2i.ml_hpo_workers IS 'processes that work on studies, and when each was last seen alive';
