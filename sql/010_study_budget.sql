-- A launch may set another budget than the experiment. The study key does not contain it, so it is recorded here.

ALTER TABLE e2i.ml_hpo_studies ADD COLUMN budget_override e2i.json_object NOT NULL DEFAULT '{}';

COMMENT ON COLUMN e2i.ml_hpo_studies.budget_override IS
    'what the last call set instead of the experiment: trials, timeout_seconds; empty: nothing';
