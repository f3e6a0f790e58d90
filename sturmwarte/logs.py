"""Logging of all processes: one line per event on standard error, so that standard output stays a document."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

import structlog

LEVEL = "STURMWARTE_LOG"
"""Environment variable that says from which level on: debug, info, warning, error."""


def configure(level: int = logging.WARNING, *, part: str = "", environment: Mapping[str, str] = os.environ) -> None:
    """Send structlog and the standard library's logging to standard error; ``part`` names the process."""
    level = logging.getLevelNamesMapping().get(environment.get(LEVEL, "").upper(), level)
    if part:
        structlog.contextvars.bind_contextvars(part=part)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _renderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # as it is then, not now
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format=f"%(asctime)s {part} %(name)s %(message)s"
    )
    # each try that fails; what came of them all is said in one sentence, which a person must not have to look for
    for name in ("elastic_transport", "elasticsearch", "psycopg"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # connections that a dead server leaves behind


def _renderer() -> structlog.typing.Processor:
    """Colours and short tracebacks for a person at a terminal, logfmt with the traceback for a file."""
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
