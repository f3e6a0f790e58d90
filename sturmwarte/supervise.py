"""A parent that keeps child processes running: restarts the dead with growing pauses, stops all cleanly."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import structlog

log = structlog.get_logger()


@dataclass(frozen=True)
class Patience:
    """How long the parent waits for what, in seconds."""

    first_pause: float = 1.0
    longest_pause: float = 60.0
    healthy_after: float = 60.0
    """A child that ran this long starts again at the first pause."""
    grace: float = 10.0
    """From SIGTERM to SIGKILL."""
    poll: float = 0.2


class Child:
    """One process that is wanted: running, or waiting for its next start."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        patience: Patience,
        keep_open: Sequence[int] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.starts = name, 0
        self._command, self._environment, self._patience = list(command), dict(environment), patience
        self._keep_open, self._monotonic = tuple(keep_open), monotonic
        self.process: subprocess.Popen[bytes] | None = None
        self._started = self._not_before = monotonic()
        self._pause = patience.first_pause

    def look(self) -> None:
        """Notice a death; start when it is time."""
        if self.process is not None and self.process.poll() is not None:
            self._died(self.process.returncode)
        if self.process is None and self._monotonic() >= self._not_before:
            self._start()

    def _start(self) -> None:
        self._started, self.starts = self._monotonic(), self.starts + 1
        # a session of its own: Ctrl-C reaches the parent alone; the pipe tells the child when the parent is gone
        self.process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self._keep_open,
        )
        log.info("started", child=self.name, pid=self.process.pid)

    def _died(self, code: int) -> None:
        ran = self._monotonic() - self._started
        if code == 0 or ran >= self._patience.healthy_after:
            self._pause = self._patience.first_pause
        log.error("a process ended and is started again", child=self.name, code=code, ran_s=round(ran, 1))
        self._close_pipe()
        self.process, self._not_before = None, self._monotonic() + self._pause
        self._pause = min(self._pause * 2, self._patience.longest_pause)

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def ended(self, timeout: float) -> bool:
        """Wait for its end; whether it came."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(timeout, 0))
        except subprocess.TimeoutExpired:
            return False
        self._close_pipe()
        return True

    def kill(self) -> None:
        """End it without asking."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._close_pipe()

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()


class Supervisor:
    """Runs one child per command until told to stop."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        patience: Patience = Patience(),
        keep_open: Sequence[int] = (),
    ) -> None:
        self._patience = patience
        self.children = [Child(name, command, environment, patience, keep_open) for name, command in commands.items()]

    def run(self, stop: Event) -> None:
        """Keep all running; on ``stop`` end them, by force after the grace."""
        try:
            while not stop.is_set():
                for child in self.children:
                    child.look()
                stop.wait(self._patience.poll)
        finally:
            self.stop()

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL to those that are still there after the grace."""
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + self._patience.grace
        for child in self.children:
            if not child.ended(deadline - time.monotonic()):
                log.error("a process did not end in time and is killed", child=child.name)
                child.kill()
