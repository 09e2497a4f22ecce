-- What finished studies taught, and what came of using it.

CREATE TABLE e2i.procedural_memories (
    procedure_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    procedure_name        varchar(200) NOT NULL,
    procedure_type        varchar(50) NOT NULL DEFAULT 'tool_sequence'
                          CHECK (procedure_type IN ('tool_sequence', 'query_pattern', 'error_recovery', 'optimization',
                                                    'causal_chain_traversal', 'hpo_pattern')),
    tool_sequence         jsonb NOT NULL CHECK (jsonb_typeof(tool_sequence) IN ('object', 'array')),
    trigger_pattern       text,
    -- No trigger_embedding: it needs the pgvector extension, which not every server has, and similarity here is
    -- computed from sizes and shares, not from text.
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
    best_value                e2i.finite_number NOT NULL,
    optimization_metric       varchar(50) NOT NULL,
    n_samples                 bigint CHECK (n_samples > 0),
    n_features                integer CHECK (n_features > 0),
    n_classes                 integer CHECK (n_classes >= 2),
    class_balance             e2i.share,
    feature_types             e2i.json_object,
    meta_features             e2i.json_object NOT NULL DEFAULT '{}',
    n_trials                  integer NOT NULL,
    n_completed               integer NOT NULL CHECK (n_completed > 0),
    n_pruned                  integer NOT NULL DEFAULT 0 CHECK (n_pruned >= 0),
    duration_seconds          e2i.finite_number CHECK (duration_seconds >= 0),
    study_name                varchar(255),
    times_used_as_warmstart   integer NOT NULL DEFAULT 0 CHECK (times_used_as_warmstart >= 0),
    warmstart_improvement_avg e2i.finite_number,
    created_at                timestamptz NOT NULL DEFAULT now(),
    updated_at                timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shares_id_with_memory CHECK (pattern_id = procedure_id),
    CONSTRAINT trials_within_budget CHECK (n_completed + n_pruned <= n_trials)
);

CREATE INDEX ON e2i.ml_hpo_patterns (algorithm_name, problem_type, optimization_metric);
CREATE INDEX ON e2i.ml_hpo_patterns (created_at DESC);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON e2i.ml_hpo_patterns
    FOR EACH ROW EXECUTE FUNCTION e2i.touch_updated_at();

-- One row for each study that a pattern helped to start, naming the trial that tried it.
CREATE TABLE e2i.ml_hpo_warmstart_uses (
    pattern_id   uuid NOT NULL REFERENCES e2i.ml_hpo_patterns (pattern_id) ON DELETE CASCADE,
    study_id     uuid NOT NULL,
    trial_number integer NOT NULL,
    similarity   e2i.share NOT NULL,
    improvement  e2i.finite_number,
    used_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pattern_id, study_id),
    FOREIGN KEY (study_id, trial_number) REFERENCES e2i.ml_hpo_trials (study_id, trial_number)
);

CREATE INDEX ON e2i.ml_hpo_warmstart_uses (study_id);
