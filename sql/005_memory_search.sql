-- Similar past problems: find_similar_hpo_patterns, and the functions and the index that it uses.

-- 0 from a factor of 1,000 on. STRICT returns null for an unknown size, where least() would ignore it.
CREATE FUNCTION e2i.size_similarity(a double precision, b double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT 1 - least(1, abs(ln((a + 1) / (b + 1))) / ln(1000::double precision))
$$;

-- The similarity of two problems by size: the weighted geometric mean of rows, columns and, where both sides know it, class
-- balance. One very different part makes the whole small. Null for unknown sizes.
CREATE FUNCTION e2i.sizes_similarity(
    a_samples bigint, b_samples bigint, a_features bigint, b_features bigint, a_balance double precision,
    b_balance double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN a_balance IS NULL OR b_balance IS NULL
        THEN sqrt(e2i.size_similarity(a_samples, b_samples) * e2i.size_similarity(a_features, b_features))
        ELSE power(e2i.size_similarity(a_samples, b_samples), 0.4) * power(e2i.size_similarity(a_features, b_features), 0.4)
            * power(1 - abs(a_balance - b_balance), 0.2)
    END
$$;

-- Without loops: where there is no pgvector this is computed for every pattern of a kind.
CREATE FUNCTION e2i.vector_distance(a real[], b real[]) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sqrt(
        (a[1] - b[1])::double precision ^ 2 + (a[2] - b[2])::double precision ^ 2
        + (a[3] - b[3])::double precision ^ 2 + (a[4] - b[4])::double precision ^ 2
        + (a[5] - b[5])::double precision ^ 2 + (a[6] - b[6])::double precision ^ 2
        + (a[7] - b[7])::double precision ^ 2 + (a[8] - b[8])::double precision ^ 2
        + (a[9] - b[9])::double precision ^ 2 + (a[10] - b[10])::double precision ^ 2
        + (a[11] - b[11])::double precision ^ 2 + (a[12] - b[12])::double precision ^ 2
        + (a[13] - b[13])::double precision ^ 2 + (a[14] - b[14])::double precision ^ 2
        + (a[15] - b[15])::double precision ^ 2 + (a[16] - b[16])::double precision ^ 2)
$$;

-- Four numbers between -1 and 1 for a kind of pattern (algorithm, problem type, metric). Appended to the vector they separate
-- the kinds in the index, so that a search for one kind does not read the others; within a kind they change no distance.
CREATE FUNCTION e2i.hpo_kind_coordinates(p_algorithm text, p_problem_type text, p_metric text) RETURNS real[]
-- The high cost makes the planner use the index instead of computing this for every pattern and sorting.
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    digest CONSTANT text := md5(p_algorithm || '/' || p_problem_type || '/' || p_metric);
BEGIN
    RETURN ARRAY[
        ('x' || substr(digest, 1, 8))::bit(32)::integer / 2147483648.0,
        ('x' || substr(digest, 9, 8))::bit(32)::integer / 2147483648.0,
        ('x' || substr(digest, 17, 8))::bit(32)::integer / 2147483648.0,
        ('x' || substr(digest, 25, 8))::bit(32)::integer / 2147483648.0
    ]::real[];
END
$$;

-- Creates the index over the vectors where the server has pgvector and this account may use it, and returns whether it is
-- there. Without it a search reads every pattern of the kind, with the same result. Safe to call again.
CREATE FUNCTION e2i.index_hpo_patterns() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    home    text;
    version text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN
        BEGIN
            CREATE EXTENSION vector SCHEMA e2i;
        EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file THEN
            RETURN false;
        END;
    END IF;
    SELECT quote_ident(namespace.nspname), extension.extversion INTO home, version
    FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
    WHERE extension.extname = 'vector';
    -- Before 0.8 there is no iterative scan: a search would return the nearest few of any kind.
    IF string_to_array(substring(version FROM '^\d+\.\d+'), '.')::integer[] < ARRAY[0, 8] THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS ml_hpo_patterns_by_vector ON e2i.ml_hpo_patterns USING hnsw (('
        '(meta_vector::real[] || e2i.hpo_kind_coordinates(algorithm_name, problem_type, optimization_metric))::%1$s.vector(20)'
        ') %1$s.vector_l2_ops) WITH (ef_construction = 200) WHERE meta_vector IS NOT NULL', home);
    RETURN true;
END
$$;

SELECT e2i.index_hpo_patterns();

-- The patterns of one algorithm, problem type and metric, without those of one data hash.
CREATE FUNCTION e2i.hpo_patterns_of_kind(
    p_algorithm text, p_problem_type text, p_metric text, p_exclude_data_hash text
) RETURNS SETOF e2i.ml_hpo_patterns LANGUAGE sql STABLE AS $$
    SELECT * FROM e2i.ml_hpo_patterns AS pattern
    WHERE pattern.algorithm_name = p_algorithm
      AND pattern.problem_type = p_problem_type
      AND pattern.optimization_metric = p_metric
      AND pattern.data_hash IS DISTINCT FROM p_exclude_data_hash
$$;

-- The nearest patterns of a kind by the vectors of one version, unordered, and a few more than p_limit because pgvector
-- rounds. Up to e2i.few_patterns (5,000 unless SET) patterns of a kind are all read; more are searched in the index, if
-- there is one.
CREATE FUNCTION e2i.nearest_hpo_patterns(
    p_algorithm text, p_problem_type text, p_metric text, p_meta_vector real[], p_meta_version integer,
    p_limit integer, p_exclude_data_hash text
) RETURNS TABLE (pattern_id uuid, created_at timestamptz, meta_vector real[])
LANGUAGE plpgsql AS $$
DECLARE
    home text;
    few  CONSTANT integer := coalesce(nullif(current_setting('e2i.few_patterns', true), ''), '5000');
    near text := '(pattern.meta_vector::real[]::%1$s.vector(16)) OPERATOR(%1$s.<->) $5::%1$s.vector(16), '
                 'pattern.created_at DESC, pattern.pattern_id';
BEGIN
    SELECT quote_ident(namespace.nspname) INTO home
    FROM pg_extension AS extension JOIN pg_namespace AS namespace ON namespace.oid = extension.extnamespace
    WHERE extension.extname = 'vector' AND to_regclass('e2i.ml_hpo_patterns_by_vector') IS NOT NULL;
    IF home IS NULL THEN
        RETURN QUERY
        SELECT kept.pattern_id, kept.created_at, kept.meta_vector::real[]
        FROM e2i.hpo_patterns_of_kind(p_algorithm, p_problem_type, p_metric, p_exclude_data_hash) AS kept
        WHERE kept.meta_version = p_meta_version
        ORDER BY e2i.vector_distance(kept.meta_vector, p_meta_vector), kept.created_at DESC, kept.pattern_id
        LIMIT p_limit;
        RETURN;
    END IF;
    -- Of any version: the index by kind is enough to count.
    IF EXISTS (
        SELECT FROM e2i.ml_hpo_patterns AS pattern
        WHERE pattern.algorithm_name = p_algorithm AND pattern.problem_type = p_problem_type
          AND pattern.optimization_metric = p_metric
        OFFSET few
    ) THEN
        -- Exactly the expression of the index: any further sort key would prevent its use.
        near := '((pattern.meta_vector::real[] || e2i.hpo_kind_coordinates('
                'pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric))::%1$s.vector(20)) '
                'OPERATOR(%1$s.<->) ($5 || e2i.hpo_kind_coordinates($1, $2, $3))::%1$s.vector(20)';
        -- Continues through the index until enough patterns of this kind are found.
        PERFORM set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.ef_search', '100', true);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT pattern.pattern_id, pattern.created_at, pattern.meta_vector::real[]'
        ' FROM e2i.ml_hpo_patterns AS pattern'
        ' WHERE pattern.algorithm_name = $1 AND pattern.problem_type = $2 AND pattern.optimization_metric = $3'
        '   AND pattern.meta_version = $4 AND pattern.meta_vector IS NOT NULL'
        '   AND pattern.data_hash IS DISTINCT FROM $7'
        ' ORDER BY ' || near || ' LIMIT $6 + 8', home)
    USING p_algorithm, p_problem_type, p_metric, p_meta_version, p_meta_vector, p_limit, p_exclude_data_hash;
END
$$;

-- Patterns of the same algorithm, problem type and metric, most similar first, newest first among equals. Where both sides
-- have a meta-feature vector of the same version, the similarity is exp(-distance); else the sizes are compared. A pattern
-- of unknown size and without such a vector is not returned.
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
LANGUAGE plpgsql AS $$
BEGIN
    IF p_meta_vector IS NULL AND p_meta_version IS NULL THEN
        RETURN QUERY
        SELECT scored.pattern_id, scored.score FROM (
            SELECT kept.pattern_id, kept.created_at, e2i.sizes_similarity(
                kept.n_samples, p_n_samples, kept.n_features, p_n_features, kept.class_balance, p_class_balance
            ) AS score
            FROM e2i.hpo_patterns_of_kind(p_algorithm, p_problem_type, p_metric, p_exclude_data_hash) AS kept
        ) AS scored
        WHERE scored.score >= p_min_similarity
        ORDER BY scored.score DESC, scored.created_at DESC, scored.pattern_id
        LIMIT p_limit;
        RETURN;
    ELSIF p_meta_vector IS NULL OR p_meta_version IS NULL THEN
        RAISE EXCEPTION 'p_meta_vector and p_meta_version go together: give both or neither'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH others AS (
        -- Three index ranges: IS DISTINCT FROM p_meta_version would read all patterns of the kind.
        SELECT * FROM e2i.hpo_patterns_of_kind(p_algorithm, p_problem_type, p_metric, p_exclude_data_hash) AS kept
        WHERE kept.meta_version IS NULL
        UNION ALL
        SELECT * FROM e2i.hpo_patterns_of_kind(p_algorithm, p_problem_type, p_metric, p_exclude_data_hash) AS kept
        WHERE kept.meta_version < p_meta_version
        UNION ALL
        SELECT * FROM e2i.hpo_patterns_of_kind(p_algorithm, p_problem_type, p_metric, p_exclude_data_hash) AS kept
        WHERE kept.meta_version > p_meta_version
    ), scored AS (
        SELECT found.pattern_id, found.created_at, exp(-e2i.vector_distance(found.meta_vector, p_meta_vector)) AS score
        FROM e2i.nearest_hpo_patterns(
            p_algorithm, p_problem_type, p_metric, p_meta_vector::e2i.meta_vector, p_meta_version, p_limit,
            p_exclude_data_hash
        ) AS found
        UNION ALL
        SELECT others.pattern_id, others.created_at, e2i.sizes_similarity(
            others.n_samples, p_n_samples, others.n_features, p_n_features, others.class_balance, p_class_balance
        )
        FROM others
    )
    SELECT scored.pattern_id, scored.score
    FROM scored
    WHERE scored.score >= p_min_similarity
    ORDER BY scored.score DESC, scored.created_at DESC, scored.pattern_id
    LIMIT p_limit;
END
$$;
