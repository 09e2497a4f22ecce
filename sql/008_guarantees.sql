-- What was looked for before anything was learnt, what was found, and the periods that time was cut into.

-- The last time of each role's period, where time decides: numbers, or dates as text. They are kept for later rows.
ALTER TABLE e2i.ml_split_registry ADD COLUMN boundaries e2i.json_array NOT NULL DEFAULT '[]';

-- One line for each kind of leakage that was looked for in a split. A split that was refused has no row in
-- ml_split_registry and has its lines here all the same: hence no reference.
CREATE TABLE e2i.ml_leakage_audit (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    experiment_id    uuid NOT NULL REFERENCES e2i.ml_experiments (id) ON DELETE CASCADE,
    data_hash        text NOT NULL CHECK (data_hash <> ''),
    split_hash       text NOT NULL CHECK (split_hash <> ''),
    check_type       text NOT NULL CHECK (check_type <> ''),
    passed           boolean NOT NULL,
    severity         text NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
    affected_records bigint NOT NULL CHECK (affected_records >= 0),
    details          text NOT NULL CHECK (details <> ''),
    examples         e2i.json_array NOT NULL DEFAULT '[]',
    checked_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, split_hash, check_type),
    -- What passed is for information; what did not is worth a warning at least.
    CHECK (passed = (severity = 'info'))
);

CREATE INDEX ON e2i.ml_leakage_audit (experiment_id, checked_at DESC);
