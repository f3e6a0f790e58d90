"""Serving the application: uvicorn, started from here and nowhere else."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """A server that is not started yet; ``should_exit = True`` ends it."""
    configuration = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        limit_concurrency=200,
        h11_max_incomplete_event_size=65_536,
    )
    return uvicorn.Server(configuration)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until told to stop by SIGTERM or SIGINT."""
    server(app, host, port).run()
