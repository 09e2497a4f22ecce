-- A memory that can be asked by what a problem looks like: more of each study, a vector of its rows, and indexes over it.

-- What is judged is a number, and what was judged is a configuration: 'NaN' as a text is neither.
CREATE DOMAIN e2i.judged_configurations AS jsonb CHECK (
    jsonb_typeof(VALUE) = 'array'
    AND NOT jsonb_path_exists(VALUE, '$[*] ? (!(@.value.type() == "number" && @.values.type() == "object"))')
);
-- Sixteen numbers: pgvector's index wants to know how many.
CREATE DOMAIN e2i.meta_vector AS real[] CHECK (
    array_ndims(VALUE) = 1 AND array_lower(VALUE, 1) = 1 AND cardinality(VALUE) = 16
    AND array_position(VALUE, NULL) IS NULL
    AND 'NaN' <> ALL (VALUE) AND 'Infinity' <> ALL (VALUE) AND '-Infinity' <> ALL (VALUE)
);

ALTER TABLE e2i.ml_hpo_patterns
    -- Every judged configuration with its value, higher is better: what says how well any other would have done there.
    ADD COLUMN trials        e2i.judged_configurations NOT NULL DEFAULT '[]',
    ADD COLUMN default_value e2i.finite_number,
    -- The meta-features as numbers of like scale, in the order that their version gives them.
    ADD COLUMN meta_vector   e2i.meta_vector,
    ADD COLUMN meta_version  integer CHECK (meta_version > 0),
    -- What its uses say of it, 1 for a pattern that was never used: see record_hpo_warmstart_usage.
    ADD COLUMN trust         e2i.share NOT NULL DEFAULT 1,
    ADD CONSTRAINT vector_has_a_version CHECK ((meta_vector IS NULL) = (meta_version IS NULL)),
    ADD CONSTRAINT meta_features_are_numbers
        CHECK (NOT jsonb_path_exists(meta_features, '$.* ? (@.type() != "number")'));

CREATE INDEX ON e2i.ml_hpo_patterns (source) WHERE source <> 'study';
-- Patterns of one problem, and all that a search by distance or by size reads, without a look at the wide rows.
CREATE INDEX ON e2i.ml_hpo_patterns (data_hash, algorithm_name, optimization_metric);
CREATE INDEX ml_hpo_patterns_by_kind ON e2i.ml_hpo_patterns
    (algorithm_name, problem_type, optimization_metric, meta_version)
    INCLUDE (meta_vector, n_samples, n_features, class_balance, data_hash, created_at, pattern_id);

-- What one configuration of the memory came to, in the study that tried it: each trial is a use, and several
-- configurations of one pattern may be tried in one study.
ALTER TABLE e2i.ml_hpo_warmstart_uses
    ADD COLUMN value         e2i.finite_number,
    ADD COLUMN default_value e2i.finite_number,
    ADD COLUMN best_value    e2i.finite_number,
    ADD COLUMN rank          integer CHECK (rank >= 1),
    ADD COLUMN n_ranked      integer CHECK (n_ranked >= 1),
    ADD CONSTRAINT rank_is_among_the_ranked CHECK (rank <= n_ranked),
    ADD CONSTRAINT rank_has_its_count CHECK ((rank IS NULL) = (n_ranked IS NULL)),
    DROP CONSTRAINT ml_hpo_warmstart_uses_pattern_id_study_id_key,
    ADD UNIQUE (pattern_id, study_id, trial_number);

-- Which starter memory was loaded, or taken out by somebody, so that nobody puts it back.
CREATE TABLE e2i.ml_hpo_starter_memories (
    starter_hash text PRIMARY KEY CHECK (starter_hash <> ''),
    n_patterns   integer NOT NULL CHECK (n_patterns >= 0),
    loaded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at   timestamptz
);

-- What was forgotten on purpose, so that nobody takes it for lost.
CREATE TABLE e2i.ml_hpo_forgotten_patterns (
    pattern_id   uuid PRIMARY KEY,
    spec_hash    text NOT NULL,
    reason       text NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now()
);

-- Four numbers between -1 and 1 that stand for a kind of pattern. Put behind the vector they give each kind a place of its
-- own in the index, so that a search for one kind does not wade through the others; within a kind they change no distance.
CREATE FUNCTION e2i.hpo_kind_place(p_algorithm text, p_problem_type text, p_metric text) RETURNS real[]
-- So dear that nobody thinks of computing it for every pattern and sorting: it is for the index.
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

-- An index over the vectors where the server has pgvector and lets this account use it; else every pattern of the asked
-- kind is looked at, with the same answer. Safe to call again, after the extension was installed for instance.
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
    -- Earlier ones stop at the first few of the index, whether they are of the asked kind or not.
    IF string_to_array(substring(version FROM '^\d+\.\d+'), '.')::integer[] < ARRAY[0, 8] THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS ml_hpo_patterns_by_vector ON e2i.ml_hpo_patterns USING hnsw (('
        '(meta_vector::real[] || e2i.hpo_kind_place(algorithm_name, problem_type, optimization_metric))::%1$s.vector(20)'
        ') %1$s.vector_l2_ops) WITH (ef_construction = 200) WHERE meta_vector IS NOT NULL', home);
    RETURN true;
END
$$;

SELECT e2i.index_hpo_patterns();

-- Written out, because this is computed for every pattern of a kind where there is no pgvector.
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

-- How alike two problems are of which only the sizes are known: the weighted geometric mean of rows, columns and, where
-- both sides know it, class balance; one part that is far off cannot be outvoted by the others. Null for unknown sizes.
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

CREATE FUNCTION e2i.hpo_patterns_of_kind(
    p_algorithm text, p_problem_type text, p_metric text, p_exclude_data_hash text
) RETURNS SETOF e2i.ml_hpo_patterns LANGUAGE sql STABLE AS $$
    SELECT * FROM e2i.ml_hpo_patterns AS pattern
    WHERE pattern.algorithm_name = p_algorithm
      AND pattern.problem_type = p_problem_type
      AND pattern.optimization_metric = p_metric
      AND pattern.data_hash IS DISTINCT FROM p_exclude_data_hash
$$;

-- The nearest patterns of a kind, by the vectors of one version, in no order; a few more than are asked for, since pgvector
-- rounds. Few of a kind are all looked at; many are searched in the index, where there is one: SET e2i.few_patterns says
-- how many are few.
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
    -- Of any version: so the narrow index of the kinds is enough to count with.
    IF EXISTS (
        SELECT FROM e2i.ml_hpo_patterns AS pattern
        WHERE pattern.algorithm_name = p_algorithm AND pattern.problem_type = p_problem_type
          AND pattern.optimization_metric = p_metric
        OFFSET few
    ) THEN
        -- As the index has it, and nothing more to sort by, which would keep the index from being used.
        near := '((pattern.meta_vector::real[] || e2i.hpo_kind_place('
                'pattern.algorithm_name, pattern.problem_type, pattern.optimization_metric))::%1$s.vector(20)) '
                'OPERATOR(%1$s.<->) ($5 || e2i.hpo_kind_place($1, $2, $3))::%1$s.vector(20)';
        -- Goes on through the index until enough patterns of the asked kind are found.
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

DROP FUNCTION e2i.find_similar_hpo_patterns(
    text, text, text, bigint, bigint, double precision, double precision, integer, text
);

-- Patterns of the same algorithm, problem type and metric, most similar first; ties go to the newest. With a vector of
-- the meta-features the similarity is exp(-distance) to the patterns that have one of the same version. Where either side
-- has none, the sizes alone are compared. A pattern that cannot be compared is no candidate.
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
        -- Three ranges of an index: "any other version" would be a look at all of the kind.
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

DROP FUNCTION e2i.record_hpo_warmstart_usage(uuid, uuid, integer, double precision, double precision);

-- True when the use counts: the trial that tried the pattern exists and ran to a verdict. Saying it again for the same
-- trial replaces what was said. Count and mean are taken from the uses themselves, so neither can drift; a use without a
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

-- What may go, and why: patterns older than so many days and used at most so often, and of several others of one problem
-- (the same rows, algorithm and metric) all but the best. The starter memory goes as a whole or not at all.
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

-- What was or, in a dry run, would be forgotten: from both tables, with a note that it was on purpose.
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
