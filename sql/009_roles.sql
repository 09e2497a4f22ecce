-- Three roles with the least rights that each needs:
--   e2i_owner   owns and changes the tables: the account that migrates is a member
--   e2i_worker  reads and writes rows: runs, Dagster, Optuna and MLflow act as this role
--   e2i_reader  reads rows
-- They have no login: accounts become members (`e2i db login`, or GRANT e2i_reader TO account).

-- Creates the roles and grants their rights on all tables that exist now; called after each migration. Returns false where
-- this account may not create roles, as on some managed servers: everything then runs as the account itself.
CREATE FUNCTION e2i.grant_roles() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    schemas CONSTANT text := 'e2i, dagster, optuna, mlflow';
    role    text;
    item    record;
BEGIN
    FOREACH role IN ARRAY ARRAY['e2i_owner', 'e2i_worker', 'e2i_reader'] LOOP
        IF to_regrole(role) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- roles belong to the server, and a migration of another database created it first
            END;
        END IF;
        IF NOT pg_has_role(current_user, role, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', role, current_user);
            EXCEPTION WHEN insufficient_privilege THEN
                -- An owner does not have to be a worker.
                IF NOT pg_has_role(current_user, 'e2i_owner', 'MEMBER') THEN
                    RAISE;
                END IF;
            END;
        END IF;
    END LOOP;

    -- Objects of this account go to e2i_owner, so that each of its members can migrate. Objects of an extension stay with the
    -- extension, and the sequence of a column follows its table.
    FOR item IN
        SELECT format('SCHEMA %I', nspname) AS object FROM pg_namespace
        WHERE nspname IN ('e2i', 'dagster', 'optuna', 'mlflow') AND nspowner = current_user::regrole
        UNION ALL
        SELECT format('%s %s', CASE class.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, class.oid::regclass)
        FROM pg_class AS class
        WHERE class.relnamespace::regnamespace::text IN ('e2i', 'dagster', 'optuna', 'mlflow')
          AND class.relkind IN ('r', 'p', 'v', 'S') AND class.relowner = current_user::regrole
          AND NOT EXISTS (
              SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = class.oid AND deptype IN ('a', 'i', 'e')
          )
        UNION ALL
        SELECT format('DOMAIN %s', type.oid::regtype) FROM pg_type AS type
        WHERE type.typnamespace::regnamespace::text IN ('e2i', 'dagster', 'optuna', 'mlflow')
          AND type.typtype = 'd' AND type.typowner = current_user::regrole
        UNION ALL
        SELECT format('TYPE %s', type.oid::regtype) FROM pg_type AS type
        WHERE type.typnamespace::regnamespace::text IN ('e2i', 'dagster', 'optuna', 'mlflow')
          AND type.typtype = 'e' AND type.typowner = current_user::regrole
        UNION ALL
        SELECT format('FUNCTION %s', function.oid::regprocedure) FROM pg_proc AS function
        WHERE function.pronamespace::regnamespace::text IN ('e2i', 'dagster', 'optuna', 'mlflow')
          AND function.proowner = current_user::regrole AND function.prokind = 'f'
          AND NOT EXISTS (
              SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = function.oid AND deptype = 'e'
          )
    LOOP
        EXECUTE format('ALTER %s OWNER TO e2i_owner', item.object);
    END LOOP;

    EXECUTE format('GRANT USAGE ON SCHEMA %s TO e2i_worker, e2i_reader', schemas);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO e2i_worker, e2i_reader', schemas);
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO e2i_worker', schemas);
    EXECUTE format('GRANT USAGE, UPDATE, SELECT ON ALL SEQUENCES IN SCHEMA %s TO e2i_worker', schemas);
    EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO e2i_reader', schemas);
    -- Only owners write what was migrated.
    FOR item IN
        SELECT class.oid::regclass AS book FROM pg_class AS class
        WHERE class.relkind = 'r' AND (class.relnamespace::regnamespace::text, class.relname) IN (
            ('e2i', 'schema_migrations'), ('e2i', 'schema_owners'),
            ('dagster', 'alembic_version'), ('optuna', 'alembic_version'), ('mlflow', 'alembic_version')
        )
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %s FROM e2i_worker', item.book);
    END LOOP;
    RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'roles were left out: % (%)', SQLERRM, current_user;
    RETURN false;
END
$$;
