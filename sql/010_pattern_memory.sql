-- A memory that can be asked by what a problem looks like: more of each study, a vector of its rows, and an index over it.

ALTER TABLE e2i.ml_hpo_patterns
    -- Every judged configuration with its value, higher is better: what says how well any other would have done there.
    ADD COLUMN trials        e2i.json_array NOT NULL DEFAULT '[]',
    ADD COLUMN default_value e2i.finite_number,
    -- The meta-features as numbers of like scale, in the order that their version gives them.
    ADD COLUMN meta_vector   real[],
    ADD COLUMN meta_version  integer CHECK (meta_version > 0),
    -- What its uses say of it, 1 for a pattern that was never used: see record_hpo_warmstart_usage.
    ADD COLUMN trust         e2i.share NOT NULL DEFAULT 1,
    ADD CONSTRAINT vector_has_a_version CHECK ((meta_vector IS NULL) = (meta_version IS NULL)),
    ADD CONSTRAINT vector_is_of_finite_numbers CHECK (
        meta_vector IS NULL
        OR (array_ndims(meta_vector) = 1 AND cardinality(meta_vector) = 16
            AND array_position(meta_vector, NULL) IS NULL
            AND 'NaN' <> ALL (meta_vector) AND 'Infinity' <> ALL (meta_vector) AND '-Infinity' <> ALL (meta_vector))
    );

CREATE INDEX ON e2i.ml_hpo_patterns (source) WHERE source <> 'study';
CREATE INDEX ON e2i.ml_hpo_patterns (algorithm_name, problem_type, optimization_metric, data_hash);

-- What one configuration of the memory came to, in the study that tried it.
ALTER TABLE e2i.ml_hpo_warmstart_uses
    ADD COLUMN value          e2i.finite_number,
    ADD COLUMN default_value  e2i.finite_number,
    ADD COLUMN best_value     e2i.finite_number,
    ADD COLUMN rank           integer CHECK (rank >= 1),
    ADD COLUMN n_ranked       integer CHECK (n_ranked >= 1),
    ADD CONSTRAINT rank_is_among_the_ranked CHECK (rank <= n_ranked);

-- Which starter memory was loaded, or taken out by somebody, so that nobody puts it back.
CREATE TABLE e2i.ml_hpo_starter_memories (
    starter_hash text PRIMARY KEY CHECK (starter_hash <> ''),
    n_patterns   integer NOT NULL CHECK (n_patterns >= 0),
    loaded_at    timestamptz NOT NULL DEFAULT now(),
    removed_at   timestamptz
);

-- An index over the vectors where the server has pgvector and lets this account use it; else every pattern of the asked
-- kind is looked at, with the same answer. Safe to call again, after the extension was installed for instance.
CREATE FUNCTION e2i.index_hpo_patterns() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    home text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector' AND default_version >= '0.8') THEN
        RETURN false;
    END IF;
    BEGIN
        CREATE EXTENSION IF NOT EXISTS vector SCHEMA e2i;
    EXCEPTION WHEN insufficient_privilege THEN
        RETURN false;
    END;
    SELECT quote_ident(namespace.nspname) INTO home
    FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
    WHERE extension.extname = 'vector';
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS ml_hpo_patterns_by_vector ON e2i.ml_hpo_patterns '
        'USING hnsw ((meta_vector::%1$s.vector(16)) %1$s.vector_l2_ops) WHERE meta_vector IS NOT NULL', home);
    RETURN true;
END
$$;

SELECT e2i.index_hpo_patterns();

CREATE FUNCTION e2i.vector_distance(a real[], b real[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sqrt(sum(power(x::double precision - y::double precision, 2))) FROM unnest(a, b) AS pair (x, y)
$$;

DROP FUNCTION e2i.find_similar_hpo_patterns(
    text, text, text, bigint, bigint, double precision, double precision, integer, text
);

-- Patterns of the same algorithm, problem type and metric, most similar first. With a vector, the similarity is
-- exp(-distance) to the patterns that have one of the same version. Without, only sizes are known: then it is the weighted
-- geometric mean of how alike rows, columns and, where both sides know it, class balance are; one part that is far off
-- cannot be outvoted by the others. A pattern that cannot be compared is no candidate.
CREATE FUNCTION e2i.find_similar_hpo_patterns(
    p_algorithm         text,
    p_problem_type      text,
    p_metric            text,
    p_n_samples         bigint,
    p_n_features        bigint,
    p_class_balance     double precision,
    p_min_similarity    double precision DEFAULT 0.6,
    p_limit             integer DEFAULT 5,
    p_exclude_data_hash text DEFAULT NULL,
    p_meta_vector       real[] DEFAULT NULL,
    p_meta_version      integer DEFAULT NULL
) RETURNS TABLE (pattern_id uuid, similarity double precision)
LANGUAGE plpgsql
-- Goes on through the index until enough patterns of the asked kind are found.
SET hnsw.iterative_scan = 'strict_order'
SET hnsw.ef_search = 100
AS $$
DECLARE
    distance text := 'e2i.vector_distance(pattern.meta_vector, $6)';
BEGIN
    IF p_meta_vector IS NULL THEN
        RETURN QUERY
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
                END AS score
            FROM parts
        )
        SELECT scored.pattern_id, scored.score
        FROM scored
        WHERE scored.score >= p_min_similarity
        ORDER BY scored.score DESC, scored.created_at DESC, scored.pattern_id
        LIMIT p_limit;
        RETURN;
    END IF;
    SELECT format('(pattern.meta_vector::%1$s.vector(16)) OPERATOR(%1$s.<->) $6::%1$s.vector(16)', quote_ident(namespace.nspname))
    INTO distance
    FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
    WHERE extension.extname = 'vector' AND to_regclass('e2i.ml_hpo_patterns_by_vector') IS NOT NULL;
    -- Ties are broken among the nearest alone: more columns to sort by would keep the index from being used.
    RETURN QUERY EXECUTE format(
        'WITH nearest AS MATERIALIZED ('
        '    SELECT pattern.pattern_id, pattern.created_at, exp(-(%1$s)) AS score'
        '    FROM e2i.ml_hpo_patterns AS pattern'
        '    WHERE pattern.meta_vector IS NOT NULL AND pattern.meta_version = $7'
        '      AND pattern.algorithm_name = $1 AND pattern.problem_type = $2 AND pattern.optimization_metric = $3'
        '      AND ($4::text IS NULL OR pattern.data_hash <> $4)'
        '    ORDER BY %1$s LIMIT $5'
        ') SELECT nearest.pattern_id, nearest.score FROM nearest WHERE nearest.score >= $8'
        '  ORDER BY nearest.score DESC, nearest.created_at DESC, nearest.pattern_id',
        coalesce(distance, 'e2i.vector_distance(pattern.meta_vector, $6)'))
    USING p_algorithm, p_problem_type, p_metric, p_exclude_data_hash, p_limit, p_meta_vector, p_meta_version,
          p_min_similarity;
END
$$;

DROP FUNCTION e2i.record_hpo_warmstart_usage(uuid, uuid, integer, double precision, double precision);

-- True when the use counts: the trial that tried the pattern exists and ran to a verdict. Saying it again for the same
-- study replaces what was said. Count and mean are taken from the uses themselves, so neither can drift; a use without a
-- measured improvement leaves the mean as it was. The trust of a pattern is (1 + uses that helped) / (1 + measured uses):
-- one that never helps fades away.
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
    INSERT INTO e2i.ml_hpo_warmstart_uses (
        pattern_id, study_id, trial_number, similarity, improvement, value, default_value, best_value, rank, n_ranked
    ) VALUES (
        p_pattern_id, p_study_id, p_trial_number, p_similarity, p_improvement, p_value, p_default_value, p_best_value,
        p_rank, p_n_ranked
    ) ON CONFLICT (pattern_id, study_id) DO UPDATE
    SET trial_number = excluded.trial_number, similarity = excluded.similarity, improvement = excluded.improvement,
        value = excluded.value, default_value = excluded.default_value, best_value = excluded.best_value,
        rank = excluded.rank, n_ranked = excluded.n_ranked;
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

-- What nobody has used: patterns of studies older than so many days and used at most so often; the starter memory goes
-- as a whole or not at all.
CREATE FUNCTION e2i.forgettable_hpo_patterns(
    p_older_than_days integer DEFAULT 90,
    p_max_uses        integer DEFAULT 0
) RETURNS TABLE (pattern_id uuid)
LANGUAGE sql STABLE AS $$
    SELECT pattern.pattern_id FROM e2i.ml_hpo_patterns AS pattern
    WHERE pattern.created_at < now() - make_interval(days => p_older_than_days)
      AND pattern.times_used_as_warmstart <= p_max_uses
      AND pattern.source <> 'starter'
$$;
