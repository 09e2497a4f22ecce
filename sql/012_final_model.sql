-- What the final model of a training learnt from, and the confusion matrix that its report shows.

ALTER TABLE e2i.ml_training_runs
    ADD COLUMN final_model varchar(20) NOT NULL DEFAULT 'train_only'
        CHECK (final_model IN ('train_only', 'refit', 'folds')),
    -- Labels, and the counts on the test rows by true and by predicted label; null for a regression.
    ADD COLUMN test_confusion e2i.json_object;
