-- An experiment of a Dagster component takes its rows from an upstream asset, and the component decides when it runs.

ALTER TABLE e2i.ml_experiments ADD COLUMN upstream e2i.json_object;

COMMENT ON COLUMN e2i.ml_experiments.upstream IS
    'asset, run_id, uri and materialized_at of the rows that were read last; null: an experiment of a file or a row';
