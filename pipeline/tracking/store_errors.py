"""What went wrong in an MLflow store, in one line without passwords."""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.common.errors import DENIED, InputError
from pipeline.tracking.artifacts import sqlite_path

SYNC_COMMAND = "python -m pipeline sync"
_MAX_LENGTH = 300
_SERVER_ERROR = 500
_PASSWORD = re.compile(r"(://[^:/?#\s'\"]*:)[^\s'\"]*@")
_HTTP_USER = re.compile(r"(https?://)[^:/?#\s'\"]+@")
_QUERY = re.compile(r"([?&][\w.-]*(?:pass|pwd|token|secret|key|auth|sig|cred)[\w.-]*=)[^&#\s'\"]+", re.IGNORECASE)
_PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}
"""The packages of database drivers that are not called like their module."""
_REFUSALS = ("FATAL", "Access denied", "Unknown database", "no such")
"""What databases say that answer."""
_PASSING = ("the database system is", "terminating connection", "too many clients", "connection slots")
"""What PostgreSQL says with FATAL while it restarts or is full."""


class StoreUnreachableError(InputError):
    """The store does not answer or is busy. It may later, so work that needs no store goes on."""


def mask(text: str) -> str:
    """Replace passwords and tokens in addresses by `***`."""
    return _QUERY.sub(r"\1***", _HTTP_USER.sub(r"\1***@", _PASSWORD.sub(r"\1***@", text)))


def first_line(error: BaseException) -> str:
    """The first line of the error that caused the others, masked and not too long."""
    text = str(_causes(error)[-1]).strip() or type(error).__name__
    return textwrap.shorten(mask(text.splitlines()[0]), _MAX_LENGTH, placeholder=" …")


@contextmanager
def raise_input_error(uri: str) -> Iterator[None]:
    """Turn any error of the store into an `InputError` that says what to do."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Of any kind: MLflow and the drivers of databases have many.
        raise store_error(uri, error) from error


def store_error(uri: str, error: Exception) -> InputError:
    """The `InputError` for an error of the store at `uri`: what failed and what to do."""
    reason = first_line(error)
    if isinstance(error, ModuleNotFoundError):
        module = (error.name or "").partition(".")[0]
        needed = f"the package {module} is missing; install it with `python -m pip install"
        return InputError(f"MLflow store {mask(uri)}: {needed} {_PACKAGES.get(module, module)}`")
    # MLflow calls a store that is too new out of date as well.
    other_version = type(error).__name__ == "CommandError" or "out-of-date database schema" in str(error)
    if place := sqlite_path(uri):
        if isinstance(error, TimeoutError) or "database is locked" in reason:
            return StoreUnreachableError(f"{place} is in use by another process ({reason}); wait until that has ended")
        if isinstance(error, OSError) and error.errno in DENIED:
            advice = "get the right to write there, or set MLFLOW_TRACKING_URI to another store"
            return InputError(f"{place} cannot be written ({error.strerror}); {advice}")
        fault = "was written by another version of MLflow"
        fault = fault if other_version else f"cannot be used as MLflow store ({reason})"
        return InputError(f"{place} {fault}; move it away and run `{SYNC_COMMAND}` to rebuild it")
    name = f"MLflow store {mask(uri)}"
    if other_version:
        return InputError(f"{name} was written by another version of MLflow; `mlflow db upgrade` upgrades an older one")
    if is_unreachable(error):
        advice = "start it, or correct or unset MLFLOW_TRACKING_URI"
        return StoreUnreachableError(f"{name} does not answer ({reason}); {advice}")
    return InputError(f"{name} cannot be used ({reason}); correct or unset MLFLOW_TRACKING_URI")


def describe(uri: str, error: Exception) -> str:
    """What failed while the store was used: the store itself, or something else."""
    return str(store_error(uri, error)) if is_unreachable(error) else first_line(error)


def _causes(error: BaseException) -> list[BaseException]:
    """The error, its cause, the cause of that and so on."""
    causes = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = None if isinstance(cause, InputError) else _cause(cause)
    return causes


def _cause(error: BaseException) -> BaseException | None:
    # What requests and urllib3 wrap is an argument or the reason; MLflow raises it again without naming a cause.
    network = type(error).__module__.partition(".")[0] in ("mlflow", "requests", "urllib3")
    wrapped = [getattr(error, "reason", None), *error.args[:1], error.__context__] if network else []
    return next((one for one in [error.__cause__, *wrapped] if isinstance(one, BaseException)), None)


def is_unreachable(error: BaseException) -> bool:
    """Whether the store does not answer, or says that it cannot now: the same call may succeed later."""
    from requests import exceptions as http
    from sqlalchemy.exc import OperationalError

    for cause in _causes(error):
        if isinstance(cause, StoreUnreachableError):
            return True
        if isinstance(cause, OperationalError):
            text = str(cause)
            return any(sign in text for sign in _PASSING) or not any(sign in text for sign in _REFUSALS)
        if isinstance(cause, http.HTTPError) and cause.response is not None:
            return bool(cause.response.status_code >= _SERVER_ERROR)
        if isinstance(cause, http.ConnectionError | http.Timeout | http.RetryError):
            return not isinstance(cause, http.SSLError)
    return False
