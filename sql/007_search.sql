-- Several objectives, constraints, and studies that several processes share and that can be watched while they run.

ALTER TABLE e2i.ml_hpo_studies
    ADD COLUMN objective   text NOT NULL DEFAULT 'validation' CHECK (objective IN ('validation', 'cross_validation')),
    ADD COLUMN objectives  jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(objectives) = 'array'),
    ADD COLUMN constraints e2i.json_object NOT NULL DEFAULT '{}',
    -- How many processes have searched it so far, so that each can draw other points than the ones before it.
    ADD COLUMN n_joined    integer NOT NULL DEFAULT 0 CHECK (n_joined >= 0);

ALTER TABLE e2i.ml_hpo_trials
    ADD COLUMN objective_values  e2i.json_object NOT NULL DEFAULT '{}',
    ADD COLUMN constraint_values e2i.json_object NOT NULL DEFAULT '{}',
    ADD COLUMN is_feasible       boolean NOT NULL DEFAULT true,
    ADD COLUMN is_pareto         boolean NOT NULL DEFAULT false,
    -- The name of the lock that the process holds which runs it: a running trial whose lock is free has lost it.
    ADD COLUMN worker            text,
    ADD CONSTRAINT pareto_is_complete CHECK (NOT is_pareto OR (state = 'COMPLETE' AND is_feasible));

-- Each claim of a trial counts the running ones of its study.
CREATE INDEX ml_hpo_trials_running ON e2i.ml_hpo_trials (study_id) WHERE state = 'RUNNING';
