-- How the memory learns whether it helped, and how it forgets.

-- Records that a trial tried a pattern, and returns whether the use counts: the trial exists and is COMPLETE or PRUNED. A
-- second call for the same trial replaces the first. Count and mean are computed from the recorded uses; a use without a
-- measured improvement does not change the mean. Trust is (1 + uses that helped) / (1 + measured uses).
CREATE FUNCTION e2i.record_hpo_warmstart_usage(
    p_pattern_id    uuid,
    p_study_id      uuid,
    p_trial_number  integer,
    p_similarity    double precision,
    p_improvement   double precision,
    p_value         double precision DEFAULT NULL,
    p_default_value double precision DEFAULT NULL,
    p_best_value    double precision DEFAULT NULL,
    p_rank          integer DEFAULT NULL,
    p_n_ranked      integer DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- One transaction at a time for each pattern: the second counts the use of the first.
    PERFORM 1 FROM e2i.ml_hpo_patterns AS pattern WHERE pattern.pattern_id = p_pattern_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no pattern %', p_pattern_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    PERFORM 1 FROM e2i.ml_hpo_trials AS trial
    WHERE trial.study_id = p_study_id AND trial.trial_number = p_trial_number AND trial.state IN ('COMPLETE', 'PRUNED');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO e2i.ml_hpo_warmstart_uses (
        pattern_id, study_id, trial_number, similarity, improvement, value, default_value, best_value, rank, n_ranked
    ) VALUES (
        p_pattern_id, p_study_id, p_trial_number, p_similarity, p_improvement, p_value, p_default_value, p_best_value,
        p_rank, p_n_ranked
    ) ON CONFLICT (pattern_id, study_id, trial_number) DO UPDATE
    SET similarity = excluded.similarity, improvement = excluded.improvement, value = excluded.value,
        default_value = excluded.default_value, best_value = excluded.best_value, rank = excluded.rank,
        n_ranked = excluded.n_ranked;
    UPDATE e2i.ml_hpo_patterns AS pattern
    SET times_used_as_warmstart = uses.times,
        warmstart_improvement_avg = uses.mean,
        trust = (1.0 + uses.helped) / (1.0 + uses.measured)
    FROM (
        SELECT
            count(*) AS times,
            avg(warmstart.improvement) AS mean,
            count(*) FILTER (WHERE warmstart.improvement > 0) AS helped,
            count(warmstart.improvement) AS measured
        FROM e2i.ml_hpo_warmstart_uses AS warmstart WHERE warmstart.pattern_id = p_pattern_id
    ) AS uses
    WHERE pattern.pattern_id = p_pattern_id;
    RETURN true;
END
$$;

-- The patterns that may be deleted, with the reason: those older than p_older_than_days and used at most p_max_uses times, and
-- among the others of one problem (the same rows, algorithm and metric) all but the best. Starter patterns are never listed.
CREATE FUNCTION e2i.forgettable_hpo_patterns(
    p_older_than_days integer DEFAULT 90,
    p_max_uses        integer DEFAULT 0
) RETURNS TABLE (pattern_id uuid, reason text)
LANGUAGE sql STABLE AS $$
    WITH aged AS (
        SELECT pattern.*, pattern.created_at < now() - make_interval(days => p_older_than_days)
            AND pattern.times_used_as_warmstart <= p_max_uses AS is_old
        FROM e2i.ml_hpo_patterns AS pattern
        WHERE pattern.source <> 'starter'
    ), ranked AS (
        SELECT aged.pattern_id, aged.is_old, aged.times_used_as_warmstart, row_number() OVER (
            PARTITION BY aged.data_hash, aged.algorithm_name, aged.problem_type, aged.optimization_metric, aged.is_old
            ORDER BY aged.best_value DESC, aged.times_used_as_warmstart DESC, aged.created_at DESC, aged.pattern_id
        ) AS place
        FROM aged
    )
    SELECT ranked.pattern_id, CASE WHEN ranked.is_old
        THEN format('older than %s days and used %s times', p_older_than_days, ranked.times_used_as_warmstart)
        ELSE 'a better pattern of the same problem is kept'
    END
    FROM ranked
    WHERE ranked.is_old OR ranked.place > 1
$$;

-- Deletes those patterns from both tables, records it in ml_hpo_forgotten_patterns, and returns them. A dry run only returns.
CREATE FUNCTION e2i.forget_hpo_patterns(
    p_older_than_days integer DEFAULT 90,
    p_max_uses        integer DEFAULT 0,
    p_dry_run         boolean DEFAULT true
) RETURNS TABLE (pattern_id uuid, reason text)
LANGUAGE plpgsql AS $$
BEGIN
    IF p_dry_run THEN
        RETURN QUERY SELECT * FROM e2i.forgettable_hpo_patterns(p_older_than_days, p_max_uses);
        RETURN;
    END IF;
    RETURN QUERY
    WITH found AS (
        SELECT * FROM e2i.forgettable_hpo_patterns(p_older_than_days, p_max_uses)
    ), noted AS (
        INSERT INTO e2i.ml_hpo_forgotten_patterns (pattern_id, spec_hash, reason)
        SELECT pattern.pattern_id, pattern.spec_hash, found.reason
        FROM found JOIN e2i.ml_hpo_patterns AS pattern ON pattern.pattern_id = found.pattern_id
        ON CONFLICT ON CONSTRAINT ml_hpo_forgotten_patterns_pkey
        DO UPDATE SET reason = excluded.reason, forgotten_at = excluded.forgotten_at
    ), gone AS (
        DELETE FROM e2i.procedural_memories AS memory USING found WHERE memory.procedure_id = found.pattern_id
        RETURNING memory.procedure_id
    )
    SELECT found.pattern_id, found.reason FROM found JOIN gone ON gone.procedure_id = found.pattern_id;
END
$$;
