-- What the memory keeps of finished studies, and how often it was used.

-- Each item has a number and the configuration that it belongs to; 'NaN' as text is not a number.
CREATE DOMAIN e2i.evaluated_configurations AS jsonb CHECK (
    jsonb_typeof(VALUE) = 'array'
    AND NOT jsonb_path_exists(VALUE, '$[*] ? (!(@.value.type() == "number" && @.values.type() == "object"))')
);

-- Sixteen finite numbers: a pgvector index needs a fixed length.
CREATE DOMAIN e2i.meta_vector AS real[] CHECK (
    array_ndims(VALUE) = 1 AND array_lower(VALUE, 1) = 1 AND cardinality(VALUE) = 16
    AND array_position(VALUE, NULL) IS NULL
    AND 'NaN' <> ALL (VALUE) AND 'Infinity' <> ALL (VALUE) AND '-Infinity' <> ALL (VALUE)
);

CREATE TABLE e2i.procedural_memories (
    procedure_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    procedure_name        varchar(200) NOT NULL,
    procedure_type        varchar(50) NOT NULL DEFAULT 'tool_sequence'
                          CHECK (procedure_type IN ('tool_sequence', 'query_pattern', 'error_recovery', 'optimization',
                                                    'causal_chain_traversal', 'hpo_pattern')),
    tool_sequence         jsonb NOT NULL CHECK (jsonb_typeof(tool_sequence) IN ('object', 'array')),
    trigger_pattern       text,
    -- There is no trigger_embedding: not every server has pgvector, and similarity comes from ml_hpo_patterns.
    intent_keywords       text[] NOT NULL DEFAULT '{}',
    detected_intent       varchar(50),
    applicable_brands     text[] NOT NULL DEFAULT '{all}',
    applicable_regions    text[] NOT NULL DEFAULT '{all}',
    applicable_agents     text[] NOT NULL DEFAULT '{}',
    usage_count           integer NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
    success_count         integer NOT NULL DEFAULT 0 CHECK (success_count >= 0),
    success_rate          double precision
                          GENERATED ALWAYS AS (success_count::double precision / nullif(usage_count, 0)) STORED,
    avg_execution_time_ms integer CHECK (avg_execution_time_ms >= 0),
    avg_quality_score     e2i.finite_number,
    version               integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    parent_procedure_id   uuid REFERENCES e2i.procedural_memories (procedure_id),
    is_active             boolean NOT NULL DEFAULT true,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    last_used_at          timestamptz,
    CHECK (success_count <= usage_count)
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.procedural_memories
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

CREATE TABLE e2i.ml_hpo_patterns (
    pattern_id                uuid PRIMARY KEY,
    procedure_id              uuid NOT NULL REFERENCES e2i.procedural_memories (procedure_id) ON DELETE CASCADE,
    spec_hash                 text NOT NULL UNIQUE CHECK (spec_hash <> ''),
    data_hash                 text NOT NULL CHECK (data_hash <> ''),
    source                    text NOT NULL DEFAULT 'study' CHECK (source <> ''),
    algorithm_name            varchar(100) NOT NULL,
    problem_type              e2i.problem_type NOT NULL,
    search_space              e2i.json_object NOT NULL,
    best_hyperparameters      e2i.json_object NOT NULL CHECK (best_hyperparameters <> '{}'),
    top_configurations        e2i.json_array NOT NULL DEFAULT '[]',
    -- Every evaluated configuration with its value, higher is better: it predicts how well others would have done there.
    trials                    e2i.evaluated_configurations NOT NULL DEFAULT '[]',
    best_value                e2i.finite_number NOT NULL,
    default_value             e2i.finite_number,
    optimization_metric       varchar(50) NOT NULL,
    n_samples                 bigint CHECK (n_samples > 0),
    n_features                integer CHECK (n_features > 0),
    n_classes                 integer CHECK (n_classes >= 2),
    class_balance             e2i.share,
    feature_types             e2i.json_object,
    meta_features             e2i.json_object NOT NULL DEFAULT '{}',
    -- The meta-features as numbers of similar scale, in the order that meta_version defines.
    meta_vector               e2i.meta_vector,
    meta_version              integer CHECK (meta_version > 0),
    n_trials                  integer NOT NULL,
    n_completed               integer NOT NULL CHECK (n_completed > 0),
    n_pruned                  integer NOT NULL DEFAULT 0 CHECK (n_pruned >= 0),
    duration_seconds          e2i.finite_number CHECK (duration_seconds >= 0),
    study_name                varchar(255),
    times_used_as_warmstart   integer NOT NULL DEFAULT 0 CHECK (times_used_as_warmstart >= 0),
    warmstart_improvement_avg e2i.finite_number,
    -- See record_hpo_warmstart_usage; 1 for a pattern that was never used.
    trust                     e2i.share NOT NULL DEFAULT 1,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shares_id_with_memory CHECK (pattern_id = procedure_id),
    CONSTRAINT trials_within_budget CHECK (n_completed + n_pruned <= n_trials),
    CONSTRAINT vector_has_a_version CHECK ((meta_vector IS NULL) = (meta_version IS NULL)),
    CONSTRAINT meta_features_are_numbers CHECK (NOT jsonb_path_exists(meta_features, '$.* ? (@.type() != "number")'))
);

CREATE INDEX ON e2i.ml_hpo_patterns (algorithm_name, problem_type, optimization_metric);
CREATE INDEX ON e2i.ml_hpo_patterns (created_at DESC);
CREATE INDEX ON e2i.ml_hpo_patterns (source) WHERE source <> 'study';
-- Patterns of one problem; then all columns that a search by distance or size reads, so that it skips the wide rows.
CREATE INDEX ON e2i.ml_hpo_patterns (data_hash, algorithm_name, optimization_metric);
CREATE INDEX ml_hpo_patterns_by_kind ON e2i.ml_hpo_patterns
    (algorithm_name, problem_type, optimization_metric, meta_version)
    INCLUDE (meta_vector, n_samples, n_features, class_balance, data_hash, created_at, pattern_id);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_hpo_patterns
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

-- One row for each trial that tried a configuration of a pattern. A study may try several of one pattern.
CREATE TABLE e2i.ml_hpo_warmstart_uses (
    pattern_id    uuid NOT NULL REFERENCES e2i.ml_hpo_patterns (pattern_id) ON DELETE CASCADE,
    study_id      uuid NOT NULL,
    trial_number  integer NOT NULL,
    similarity    e2i.share NOT NULL,
    improvement   e2i.finite_number,
    value         e2i.finite_number,
    default_value e2i.finite_number,
    best_value    e2i.finite_number,
    rank          integer CHECK (rank >= 1),
    n_ranked      integer CHECK (n_ranked >= 1),
    used_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pattern_id, study_id, trial_number),
    FOREIGN KEY (study_id, trial_number) REFERENCES e2i.ml_hpo_trials (study_id, trial_number),
    CONSTRAINT rank_is_among_the_ranked CHECK (rank <= n_ranked),
    CONSTRAINT rank_has_its_count CHECK ((rank IS NULL) = (n_ranked IS NULL))
);

CREATE INDEX ON e2i.ml_hpo_warmstart_uses (study_id);

-- Which starter memory was loaded, or removed by a user: a removed one is not loaded again.
CREATE TABLE e2i.ml_hpo_starter_memories (
    starter_hash text PRIMARY KEY CHECK (starter_hash <> ''),
    n_patterns   integer NOT NULL CHECK (n_patterns >= 0),
    loaded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at   timestamptz
);

-- Patterns that were deleted on purpose: `e2i check` does not report them as lost.
CREATE TABLE e2i.ml_hpo_forgotten_patterns (
    pattern_id   uuid PRIMARY KEY,
    spec_hash    text NOT NULL,
    reason       text NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now()
);
