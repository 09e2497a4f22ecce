"""What a person needs to know about the PostgreSQL server when something is wrong with it."""

from dataclasses import dataclass

import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database

_FACTS = sa.text("""
    SELECT current_setting('server_version') AS version,
           (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector_version,
           current_user AS acts_as,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
           current_setting('max_connections')::integer AS most_connections,
           pg_database_size(current_database()) AS size_bytes
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """The state of a server.

    Attributes:
        version: The version of the server.
        vector_version: The version of pgvector, None where it is not installed in this database.
        acts_as: The role that this process acts as.
        connections: Open connections of all clients, of `most_connections` that the server allows.
        size_bytes: Size of the database in bytes.
    """

    version: str
    vector_version: str | None
    acts_as: str
    connections: int
    most_connections: int
    size_bytes: int


def server_facts(database: Database) -> ServerFacts:
    """Read the state of the server."""
    with database.connect() as connection:
        return ServerFacts(**connection.execute(_FACTS).mappings().one())
