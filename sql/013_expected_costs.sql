-- The costs of errors that the experiment named, and the expected cost of the decisions for the test rows.

ALTER TABLE e2i.ml_training_runs
    -- costs: missed, false_alarm, unit. per_1000_rows: each decision with its interval and what the model saves.
    ADD COLUMN expected_costs e2i.json_object;
