"""SQL statements that write a trial to Optuna's tables and to ours.

Several statements are sent in one text, in one round trip: the round trips are most of the cost of a trial.
"""

import sqlalchemy as sa

from e2i_assets.adapters.repositories.studies import LOCK, RECORD

LOCK_STUDY = sa.text(LOCK)
# A claim sets the study to running again, also if another process has ended it meanwhile.
_CLAIM = f"""
    {LOCK};
    UPDATE ml_hpo_studies SET status = 'running', completed_at = NULL, stop_reason = NULL, error_message = NULL
    WHERE id = :study_id AND status <> 'running'
"""
_SPENT = """
    SELECT n_completed + n_pruned + n_failed
        + (SELECT count(*) FROM ml_hpo_trials WHERE study_id = :study_id AND state = 'RUNNING') AS trials
    FROM ml_hpo_studies WHERE id = :study_id
"""
# A coordinator deletes its row before it ends the study, under the same lock: its workers claim no trial after that.
_MAY_CLAIM = "CAST(:coordinator AS text) IS NULL OR EXISTS (SELECT FROM ml_hpo_workers WHERE name = :coordinator)"
# Optuna takes the same lock, so the ids of a study's trials become visible in order.
_LOCK_OPTUNA = "SELECT 1 FROM optuna.studies WHERE study_id = :optuna_id FOR UPDATE"
_CREATE = """
    INSERT INTO optuna.trials (study_id, number, state, datetime_start, datetime_complete)
    SELECT :optuna_id, coalesce(last.number + 1, 0), :state, :started, :ended
    FROM (SELECT 1) AS always LEFT JOIN (
        SELECT number FROM optuna.trials WHERE study_id = :optuna_id ORDER BY trial_id DESC LIMIT 1
    ) AS last ON true
    RETURNING trial_id, number
"""
CREATE_NEW = sa.text(f"""
    {_CLAIM}; {_LOCK_OPTUNA};
    WITH spent AS ({_SPENT}), made AS ({_CREATE}), recorded AS (
        INSERT INTO ml_hpo_trials (study_id, trial_number, state, origin, datetime_start, worker)
        SELECT :study_id, number, 'RUNNING', 'sampler', CAST(:started AS timestamp) AT TIME ZONE 'UTC', :worker
        FROM made
    )
    SELECT spent.trials, {_MAY_CLAIM} AS may_claim, made.trial_id, made.number FROM spent, made
""")
CREATE_FROM = sa.text(f"{_LOCK_OPTUNA}; {_CREATE}")
CLAIM_WAITING = sa.text(f"{_CLAIM}; SELECT spent.trials, {_MAY_CLAIM} AS may_claim FROM ({_SPENT}) AS spent")
START = sa.text("""
    UPDATE optuna.trials SET state = 'RUNNING', datetime_start = :started
    WHERE trial_id = :trial_id AND state = 'WAITING'
""")
RECORD_TRIAL = sa.text(RECORD)
_CONTENTS = """
    INSERT INTO optuna.trial_params (trial_id, param_name, param_value, distribution_json)
    SELECT :trial_id, * FROM unnest(
        CAST(:names AS text[]), CAST(:drawn AS double precision[]), CAST(:distributions AS text[]))
    ON CONFLICT (trial_id, param_name) DO UPDATE
    SET param_value = excluded.param_value, distribution_json = excluded.distribution_json;
    INSERT INTO optuna.trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT :trial_id, * FROM unnest(
        CAST(:steps AS integer[]), CAST(:reports AS double precision[]),
        CAST(:report_types AS optuna.trialintermediatevaluetype[]))
    ON CONFLICT (trial_id, step) DO UPDATE
    SET intermediate_value = excluded.intermediate_value, intermediate_value_type = excluded.intermediate_value_type;
    INSERT INTO optuna.trial_user_attributes (trial_id, key, value_json)
    SELECT :trial_id, * FROM unnest(CAST(:user_keys AS text[]), CAST(:user_values AS text[]))
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json;
    INSERT INTO optuna.trial_system_attributes (trial_id, key, value_json)
    SELECT :trial_id, * FROM unnest(CAST(:system_keys AS text[]), CAST(:system_values AS text[]))
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json
"""
_VALUES = """
    INSERT INTO optuna.trial_values (trial_id, objective, value, value_type)
    SELECT :trial_id, * FROM unnest(
        CAST(:value_numbers AS integer[]), CAST(:trial_values AS double precision[]),
        CAST(:value_types AS optuna.trialvaluetype[]))
    ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type
"""
_COUNT = """
    UPDATE ml_hpo_studies SET
        n_completed = n_completed + :completed, n_pruned = n_pruned + :pruned, n_failed = n_failed + :failed,
        n_trials = greatest(n_trials, n_completed + n_pruned + n_failed + :completed + :pruned + :failed)
    WHERE id = :study_id;
    UPDATE ml_hpo_studies SET best_trial_number = :trial_number, best_value = :value, best_params = :params
    WHERE id = :study_id AND :may_be_best AND (best_value IS NULL OR best_value < CAST(:value AS double precision)
        OR (best_value = CAST(:value AS double precision) AND best_trial_number > :trial_number))
"""
WRITE_CONTENTS = sa.text(f"{_CONTENTS}; {_VALUES}")
# Asynchronous commit: if the server crashes, it loses some progress of a running trial, which is lost in any case.
PROGRESS = sa.text(f"""
    SET LOCAL synchronous_commit = off; {_CONTENTS};
    UPDATE ml_hpo_trials SET params = :params, intermediate_values = :intermediate_values, user_attrs = :user_attrs
    WHERE study_id = :study_id AND trial_number = :trial_number AND state = 'RUNNING'
""")
# The last statement tells by its row count whether the trial had ended already; the caller then rolls back the others.
END = sa.text(f"""
    {LOCK}; {_CONTENTS}; {_VALUES}; {RECORD}; {_COUNT};
    UPDATE optuna.trials SET state = :state, datetime_complete = :ended
    WHERE trial_id = :trial_id AND state IN ('RUNNING', 'WAITING')
""")
ADD_FINISHED = sa.text(f"{_CONTENTS}; {_VALUES}; {RECORD}; {_COUNT}")
