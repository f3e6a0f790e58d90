"""Logging of all processes: one line per event on standard error, so that standard output stays a document."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: int = logging.WARNING, *, part: str = "") -> None:
    """Send structlog and the standard library's logging to standard error; ``part`` names the process."""
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


def _renderer() -> structlog.typing.Processor:
    """Colours and short tracebacks for a person at a terminal, logfmt with the traceback for a file."""
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
