-- How similar a remembered problem is, and how much a pattern has helped.

-- Three decades of size are as far apart as it gets. Null for an unknown size, hence strict: least() would skip it.
CREATE FUNCTION e2i.size_similarity(a double precision, b double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT 1 - least(1, abs(ln((a + 1) / (b + 1))) / ln(1000::double precision))
$$;

-- Patterns of the same algorithm, problem type and metric; only what then still varies is scored: rows, columns and,
-- where both sides know it, class balance. The score is a weighted geometric mean, so that one part that is far off
-- cannot be outvoted by the others. A pattern of unknown size is no candidate.
CREATE FUNCTION e2i.find_similar_hpo_patterns(
    p_algorithm         text,
    p_problem_type      text,
    p_metric            text,
    p_n_samples         bigint,
    p_n_features        bigint,
    p_class_balance     double precision,
    p_min_similarity    double precision DEFAULT 0.6,
    p_limit             integer DEFAULT 5,
    p_exclude_data_hash text DEFAULT NULL
) RETURNS TABLE (pattern_id uuid, similarity double precision)
LANGUAGE sql STABLE AS $$
    WITH parts AS (
        SELECT
            pattern.pattern_id,
            pattern.created_at,
            e2i.size_similarity(pattern.n_samples, p_n_samples) AS rows_alike,
            e2i.size_similarity(pattern.n_features, p_n_features) AS columns_alike,
            1 - abs(pattern.class_balance - p_class_balance) AS balance_alike
        FROM e2i.ml_hpo_patterns AS pattern
        WHERE pattern.algorithm_name = p_algorithm
          AND pattern.problem_type = p_problem_type
          AND pattern.optimization_metric = p_metric
          AND (p_exclude_data_hash IS NULL OR pattern.data_hash <> p_exclude_data_hash)
    ), scored AS (
        SELECT
            parts.pattern_id,
            parts.created_at,
            CASE WHEN parts.balance_alike IS NULL
                THEN sqrt(parts.rows_alike * parts.columns_alike)
                ELSE power(parts.rows_alike, 0.4) * power(parts.columns_alike, 0.4) * power(parts.balance_alike, 0.2)
            END AS similarity
        FROM parts
    )
    SELECT scored.pattern_id, scored.similarity
    FROM scored
    WHERE scored.similarity >= p_min_similarity
    ORDER BY scored.similarity DESC, scored.created_at DESC, scored.pattern_id
    LIMIT p_limit
$$;

-- True when the use counts: the trial that tried the pattern exists and ran to a verdict. Saying it again for the same
-- study replaces what was said. Count and mean are taken from the uses themselves, so neither can drift; a use
-- without a measured improvement leaves the mean as it was.
CREATE FUNCTION e2i.record_hpo_warmstart_usage(
    p_pattern_id   uuid,
    p_study_id     uuid,
    p_trial_number integer,
    p_similarity   double precision,
    p_improvement  double precision
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    -- One at a time for each pattern: the second sees the first one's use when it counts.
    PERFORM 1 FROM e2i.ml_hpo_patterns AS pattern WHERE pattern.pattern_id = p_pattern_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no pattern %', p_pattern_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    PERFORM 1 FROM e2i.ml_hpo_trials AS trial
    WHERE trial.study_id = p_study_id AND trial.trial_number = p_trial_number AND trial.state IN ('COMPLETE', 'PRUNED');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO e2i.ml_hpo_warmstart_uses (pattern_id, study_id, trial_number, similarity, improvement)
    VALUES (p_pattern_id, p_study_id, p_trial_number, p_similarity, p_improvement)
    ON CONFLICT (pattern_id, study_id) DO UPDATE
    SET trial_number = excluded.trial_number, similarity = excluded.similarity, improvement = excluded.improvement;
    UPDATE e2i.ml_hpo_patterns AS pattern
    SET times_used_as_warmstart = uses.times, warmstart_improvement_avg = uses.mean
    FROM (
        SELECT count(*) AS times, avg(warmstart.improvement) AS mean
        FROM e2i.ml_hpo_warmstart_uses AS warmstart WHERE warmstart.pattern_id = p_pattern_id
    ) AS uses
    WHERE pattern.pattern_id = p_pattern_id;
    RETURN true;
END
$$;
