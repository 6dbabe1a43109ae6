"""What passes by itself: a tracking store that is busy, a connection that broke off.

Belongs here: the named errors after which a step is tried again, and how often. Does not belong here: errors of data,
configuration or code, which fail again and are never retried; a worker that was killed (`run_retries` in dagster.yaml).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

# A busy store answers within seconds; a server that is being restarted within a minute or two.
MAX_RETRIES = 2
WAIT_S = 30
# mlflow's name for a database that is locked or does not answer (mlflow/store/db/utils.py, 3.17)
_TEMPORARY = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")


def is_transient(error: BaseException) -> bool:
    """Whether trying again may succeed. Causes are looked at too: stores wrap what their driver raised."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionError | TimeoutError) or _is_named(seen):
            return True
        seen = seen.__cause__
    return False


def _is_named(error: BaseException) -> bool:
    """Errors of libraries, told by name so that none is imported for it."""
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    if kinds & {"requests.ConnectionError", "requests.Timeout", "sqlalchemy.OperationalError"}:
        return True
    return "mlflow.MlflowException" in kinds and getattr(error, "error_code", "") in _TEMPORARY


@contextmanager
def retried() -> Iterator[None]:
    """Around the body of a step: after a transient error the step is tried again, and reuses what it published."""
    try:
        yield
    except Exception as error:
        if is_transient(error):
            raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=WAIT_S) from error
        raise
