"""Rows in most tables of the baseline schema, as a user may have them before a later migration."""

EXPERIMENT = "00000000-0000-0000-0000-00000000000a"
SPLIT = "00000000-0000-0000-0000-00000000000b"
STUDY = "00000000-0000-0000-0000-00000000000c"
PATTERN = "00000000-0000-0000-0000-00000000000d"
RUN = "00000000-0000-0000-0000-00000000000e"

ROWS = [
    "INSERT INTO e2i.schema_owners (owner, library_version, revision) VALUES ('optuna', '4.9', 'v3.2.0.a')",
    f"""INSERT INTO e2i.ml_experiments (id, experiment_name, description, minimum_auc, spec, spec_hash)
            VALUES ('{EXPERIMENT}', 'visits', 'it''s 数据', 0.7, '{{"target": "left"}}', 'spec')""",
    """INSERT INTO e2i.ml_experiments (experiment_name, spec, spec_hash, is_active, retired_at)
            VALUES ('retired', '{}', 'spec', false, now())""",
    f"""INSERT INTO e2i.ml_split_registry (
                id, experiment_id, split_hash, config_hash, data_hash, strategy, train_ratio, validation_ratio,
                test_ratio, holdout_ratio, seed, group_column, train_rows, validation_rows, test_rows, holdout_rows,
                row_count
            ) VALUES (
                '{SPLIT}', '{EXPERIMENT}', 's', 'c', 'd', 'group', 0.6, 0.2, 0.15, 0.05, 42, 'person',
                60, 20, 15, 5, 100
            )""",
    f"INSERT INTO e2i.ml_split_assignments VALUES ('{SPLIT}', 'p1', 'train'), ('{SPLIT}', 'p2', 'holdout')",
    f"""INSERT INTO e2i.ml_hpo_studies (
                id, study_name, spec_hash, experiment_id, split_id, data_hash, algorithm_name, problem_type, metric,
                seed, search_space, n_trials
            ) VALUES (
                '{STUDY}', 'visits_1', 'h1', '{EXPERIMENT}', '{SPLIT}', 'd', 'XGBoost', 'regression', 'r2', 1, '{{}}', 3
            )""",
    f"""INSERT INTO e2i.ml_hpo_trials (study_id, trial_number, state, origin, params, value, error_message) VALUES
            ('{STUDY}', 0, 'COMPLETE', 'default', '{{"max_depth": 3}}', 0.5, NULL),
            ('{STUDY}', 1, 'PRUNED', 'sampler', '{{"max_depth": 9}}', 0.1, NULL),
            ('{STUDY}', 2, 'FAIL', 'sampler', '{{"max_depth": 5}}', NULL, 'ran out of memory')""",
    f"""UPDATE e2i.ml_hpo_studies SET n_completed = 1, n_pruned = 1, n_failed = 1, best_trial_number = 0,
            best_value = 0.5, best_params = '{{"max_depth": 3}}', status = 'completed', completed_at = now()
            WHERE id = '{STUDY}'""",
    f"""INSERT INTO e2i.ml_hpo_studies (
                study_name, spec_hash, experiment_id, data_hash, algorithm_name, problem_type, metric, seed, n_trials
            ) VALUES ('visits_2', 'h2', '{EXPERIMENT}', 'd', 'Ridge', 'regression', 'r2', 1, 5)""",
    f"""INSERT INTO e2i.procedural_memories (procedure_id, procedure_name, procedure_type, tool_sequence)
            VALUES ('{PATTERN}', 'hpo of visits', 'hpo_pattern', '{{}}')""",
    f"""INSERT INTO e2i.ml_hpo_patterns (
                pattern_id, procedure_id, spec_hash, data_hash, algorithm_name, problem_type, search_space,
                best_hyperparameters, top_configurations, best_value, optimization_metric, n_samples, n_features,
                meta_features, n_trials, n_completed, times_used_as_warmstart, warmstart_improvement_avg
            ) VALUES (
                '{PATTERN}', '{PATTERN}', 'h1', 'd', 'XGBoost', 'regression', '{{}}', '{{"max_depth": 3}}',
                '[{{"values": {{"max_depth": 3}}, "value": 0.5}}]', 0.5, 'r2', 100, 4, '{{"log_rows": 2.0}}',
                3, 1, 1, 0.05
            )""",
    f"""INSERT INTO e2i.ml_hpo_warmstart_uses (pattern_id, study_id, trial_number, similarity, improvement)
            VALUES ('{PATTERN}', '{STUDY}', 1, 0.8, 0.05)""",
    """INSERT INTO e2i.ml_model_registry (model_name, model_version, algorithm, is_champion)
            VALUES ('e2i_visits', '1', 'XGBoost', true)""",
    f"""INSERT INTO e2i.ml_training_runs (
                id, spec_hash, experiment_id, run_name, mlflow_run_id, algorithm, hyperparameters, split_id, data_hash,
                training_samples, feature_names, test_metrics, status, completed_at, study_id,
                optuna_study_name, optuna_trial_number, is_best_trial, pattern_id
            ) VALUES (
                '{RUN}', 't1', '{EXPERIMENT}', 'XGBoost_1', 'm1', 'XGBoost', '{{"max_depth": 3}}', '{SPLIT}', 'd', 60,
                '["age"]', '{{"r2": 0.4}}', 'finished', now(), '{STUDY}', 'visits_1', 0, true, '{PATTERN}'
            )""",
    f"""INSERT INTO e2i.ml_leakage_audit (
                experiment_id, data_hash, split_hash, check_type, passed, severity, affected_records, details
            ) VALUES ('{EXPERIMENT}', 'd', 's', 'copied_rows', false, 'warning', 3, 'three rows')""",
    f"INSERT INTO e2i.ml_segment_metrics VALUES ('{RUN}', 'region', 'north', 7, true, '{{\"r2\": 0.1}}', '{{}}')",
    f"""INSERT INTO e2i.ml_test_looks (model_key, look, training_run_id, looked_by, reason)
            VALUES ('k', 1, '{RUN}', 'ada', 'training')""",
    f"INSERT INTO e2i.ml_hpo_forgotten_patterns (pattern_id, spec_hash, reason) VALUES ('{RUN}', 'h0', 'old')",
    "INSERT INTO e2i.ml_hpo_starter_memories (starter_hash, n_patterns) VALUES ('first', 12)",
    f"""INSERT INTO e2i.ml_run_requests (run_key, experiment_id, cause, content_hash, reason)
            VALUES ('visits:1', '{EXPERIMENT}', 'changed_data', 'd', 'other rows')""",
    f"INSERT INTO e2i.ml_source_states (experiment_id, fingerprint) VALUES ('{EXPERIMENT}', 'f')",
    f"""INSERT INTO e2i.ml_champion_decisions (
                experiment_id, challenger_key, split_id, metric, test_rows, challenger_value, promoted, reason,
                model_folder
            ) VALUES ('{EXPERIMENT}', 'k', '{SPLIT}', 'r2', 15, 0.4, true, 'the first', 'champions/visits/k')""",
    f"""INSERT INTO e2i.ml_drift_reports (experiment_id, fingerprint, rows_seen, labelled_rows, drifted, reason)
            VALUES ('{EXPERIMENT}', 'f', 9, 9, false, 'as before')""",
    "INSERT INTO e2i.ml_alerts (cause, told_at, last_text) VALUES ('c', now(), 'visits failed')",
]
