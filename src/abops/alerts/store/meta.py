"""What the store says of itself."""

from sqlalchemy import Connection


def ensure_instance(connection: Connection, drawn: int) -> int:
    """Return the store's own number; the first time, `drawn` becomes it."""
    connection.exec_driver_sql(
        "INSERT INTO counter (name, value) VALUES ('instance', ?) ON CONFLICT DO NOTHING", (drawn,)
    )
    found = connection.exec_driver_sql("SELECT value FROM counter WHERE name = 'instance'")
    return int(found.scalar_one())
