"""Ways to reach a receiver, one file each: found by walking this folder and the entry points sturmwarte.notifiers."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

from pydantic import BaseModel

from pipeline.configuration import Configuration, Receiver


class TemporaryFailure(Exception):
    """Not sent, but trying again may help. ``everyone``: the way itself is down, not this one message."""

    def __init__(self, message: str, *, everyone: bool = False) -> None:
        super().__init__(message)
        self.everyone = everyone


class PermanentFailure(Exception):
    """Not sent, and the same message to the same receiver never will be."""


class Notifier(Protocol):
    """A kind of way with its settings."""

    name: ClassVar[str]
    description: ClassVar[str]
    example: ClassVar[str]
    """A snippet of the configuration."""
    Options: ClassVar[type[BaseModel]]
    """Further keys of a receiver; unknown ones are an error."""

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """The way as the configuration sets it up; never fails, ``problem`` tells what is missing."""
        ...

    def problem(self) -> str | None:
        """What keeps it from working at all, in a sentence; None where nothing is known to."""
        ...

    def send(self, payload: bytes, receiver: Receiver) -> None:
        """Hand the frozen bytes over. Raises TemporaryFailure or PermanentFailure; returning means accepted."""
        ...
