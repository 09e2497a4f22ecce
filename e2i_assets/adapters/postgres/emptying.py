"""Throws schemas away, unless that takes something of others along: a view, a key, a column of a type of theirs.

A CASCADE would, without a word; without it, what the schemas hold themselves is in the way.
"""

from collections.abc import Sequence

_EMPTY = "DROP SCHEMA IF EXISTS {0} CASCADE;\n"
# What stands in other schemas, by name.
_OUTSIDE = """
    WITH others AS (
        SELECT oid FROM pg_namespace
        WHERE nspname NOT IN ('{ours}', 'pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
    )
    SELECT format('column %s.%I', attrelid::regclass, attname) AS what
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE attnum > 0 AND NOT attisdropped AND relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('constraint %I of %s', conname, conrelid::regclass)
    FROM pg_constraint WHERE conrelid <> 0 AND connamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('default of %s, column %s', adrelid::regclass, adnum)
    FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid WHERE relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('trigger %I of %s', tgname, tgrelid::regclass)
    FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('function %s', oid::regprocedure) FROM pg_proc WHERE pronamespace IN (SELECT oid FROM others)
    UNION ALL
    SELECT format('type %s', oid::regtype) FROM pg_type WHERE typnamespace IN (SELECT oid FROM others)
"""
_REMEMBER = "CREATE TEMPORARY TABLE e2i_outside ON COMMIT DROP AS {outside};\n"
_STILL_THERE = """DO $$ DECLARE gone text; BEGIN
    SELECT string_agg(what, ', ' ORDER BY what) INTO gone
    FROM (SELECT what FROM pg_temp.e2i_outside EXCEPT ({outside})) AS lost;
    IF gone IS NOT NULL THEN
        RAISE EXCEPTION 'other schemas depend on what would be thrown away, and would lose: %', gone;
    END IF;
END $$;
"""


def emptied(schemas: Sequence[str]) -> str:
    """Return the SQL, for one transaction: it drops the schemas, or raises with the names of what others would lose."""
    outside = _OUTSIDE.format(ours="', '".join(schemas))
    return "".join(
        [
            "SET LOCAL search_path = pg_catalog;\n",  # with another, names would change with the drop: what ours shadow
            _REMEMBER.format(outside=outside),
            *map(_EMPTY.format, schemas),
            _STILL_THERE.format(outside=outside),
        ]
    )
