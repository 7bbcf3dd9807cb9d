"""The customer's own database, created by the first tracking server that needs it."""

import logging
from typing import Final

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from flops_contracts.errors import FlopsError
from flops_contracts.exit_codes import ExitCode

logger = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10
_EXISTS: Final = text("SELECT 1 FROM pg_database WHERE datname = :name")


class BackendStoreError(FlopsError):
    """The database server does not answer, or refuses access."""

    exit_code = ExitCode.TRACKING_UNREACHABLE


def ensure_database(url: str) -> None:
    """Create the PostgreSQL database that ``url`` names, unless it exists.

    Other kinds of databases are left to MLflow. Raises ``BackendStoreError``.
    """
    address = make_url(url)
    if address.get_backend_name() != "postgresql" or not address.database:
        return
    try:
        _create(address, address.database)
    except (IntegrityError, ProgrammingError) as error:
        # Two servers of one customer may start at once; the second one finds the database.
        if "already exists" not in str(error.orig):
            raise _refused(address, error) from error
    except SQLAlchemyError as error:
        raise _refused(address, error) from error


def _create(address: URL, name: str) -> None:
    # PostgreSQL creates databases outside of transactions, from another database.
    engine = create_engine(
        address.set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    with engine.connect() as connection:
        if connection.execute(_EXISTS, {"name": name}).first():
            return
        quoted = engine.dialect.identifier_preparer.quote_identifier(name)
        connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
    logger.info("created the database %s", name)


def _refused(address: URL, error: SQLAlchemyError) -> BackendStoreError:
    return BackendStoreError(
        f"The backend store at {address.host}:{address.port or 5432} cannot be used: "
        f"{getattr(error, 'orig', None) or error}",
        hint="Check that it runs, and check its address and account.",
    )
