-- A schema for each owner of tables, the two tables in which `migrate` records its work, and the shared domains.

-- CREATE SCHEMA IF NOT EXISTS needs the CREATE right even where an administrator has created the schemas already.
DO $$
DECLARE
    owner text;
BEGIN
    FOREACH owner IN ARRAY ARRAY['e2i', 'dagster', 'optuna', 'mlflow'] LOOP
        IF to_regnamespace(owner) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I', owner);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE e2i.schema_migrations (
    version    integer PRIMARY KEY CHECK (version > 0),
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- Which version of each library prepared its tables, and the revision that its own migrations left.
CREATE TABLE e2i.schema_owners (
    owner           text PRIMARY KEY CHECK (owner IN ('dagster', 'optuna', 'mlflow')),
    library_version text NOT NULL,
    revision        text NOT NULL,
    prepared_at     timestamptz NOT NULL DEFAULT now()
);

-- PostgreSQL sorts NaN above infinity, so one comparison rejects NaN and both infinities.
CREATE DOMAIN e2i.finite_number AS double precision CHECK (abs(VALUE) < 'Infinity');
CREATE DOMAIN e2i.share AS double precision CHECK (VALUE >= 0 AND VALUE <= 1);

-- A JSON text scalar is refused: ->> on a scalar returns NULL without an error.
CREATE DOMAIN e2i.json_object AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
CREATE DOMAIN e2i.json_array AS jsonb CHECK (jsonb_typeof(VALUE) = 'array');

CREATE DOMAIN e2i.problem_type AS text
    CHECK (VALUE IN ('binary_classification', 'multiclass_classification', 'regression'));

CREATE FUNCTION e2i.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;
