"""How Dagster creates or upgrades its own tables; the only place outside `defs` that touches Dagster."""


def prepare_dagster_storage(url: str) -> None:
    """Bring the tables of runs, events and schedules to the revision of the installed Dagster.

    Args:
        url: The address whose search path is Dagster's schema.
    """
    from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

    runs = PostgresRunStorage(url)
    runs.upgrade()
    runs.migrate()
    events = PostgresEventLogStorage(url)
    events.upgrade()
    events.reindex_assets()
    schedules = PostgresScheduleStorage(url)
    schedules.upgrade()
    schedules.migrate()
