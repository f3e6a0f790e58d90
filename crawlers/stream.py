"""Connections that stay open: websockets and event streams, through the same guard, certificates and pace as pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from crawlers.classify import classify
from crawlers.fetches import Fetch, NotRead
from crawlers.guard import Guard, GuardedResolver
from crawlers.urls import host_key
from pipeline.words import Answer

if TYPE_CHECKING:
    from crawlers.kit import Kit

QUIET = 10.0
"""Seconds without a word after which a websocket is asked whether it still lives."""
SILENT = 45.0
"""Seconds without a word after which an event stream counts as dead; servers say something every 15."""
OPENING = 30.0
LARGEST = 1_000_000
"""Bytes of one event."""
_WAITING = 500
"""Events that wait for us; then the server has to."""
_ASKED_TO_WAIT = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Pulse:
    """One event of a connection, or a sign that it lives (without data)."""

    wire: str
    data: bytes = b""
    kind: str = ""

    @property
    def alive(self) -> bool:
        """Whether it says only that the connection is there and nothing has happened."""
        return not self.data


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection to be made: a name of ours, its address, and whether it is a websocket or an event stream."""

    name: str
    url: str
    websocket: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Broken(NotRead):
    """A connection that was refused or ended."""


class GuardedConnector(aiohttp.TCPConnector):
    """Checks every address that is connected to, redirects and addresses written out in digits among them."""

    def __init__(self, guard: Guard, **given: Any) -> None:
        super().__init__(resolver=GuardedResolver(guard), **given)
        self._guard = guard

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        """Raises Refused."""
        scheme = {"ws": "http", "wss": "https"}.get(req.url.scheme, req.url.scheme)
        self._guard.check_url(str(req.url.with_scheme(scheme)))
        return await super().connect(req, traces, timeout)


class Stream:
    """Several connections read as one, in the order in which things come."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Pulse | Exception] = asyncio.Queue(_WAITING)

    async def next(self, deadline: float) -> Pulse | None:
        """The next event; None at the deadline (time of the event loop). Raises Broken."""
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return None
        try:
            found = await asyncio.wait_for(self.queue.get(), left)
        except TimeoutError:
            return None
        if isinstance(found, Exception):
            raise found
        return found


@asynccontextmanager
async def opened(kit: Kit, wires: list[Wire], agent: str) -> AsyncIterator[Stream]:
    """The open connections. Raises Broken where one is refused, and NotRead where the host is to be left alone."""
    connector = GuardedConnector(kit.guard, ssl=kit.tls(), limit=0)
    stream, readers = Stream(), list[asyncio.Task[None]]()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=OPENING, sock_read=None)
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout, headers={"User-Agent": agent}
    )
    try:
        for wire in wires:
            ready = asyncio.get_running_loop().create_future()
            readers.append(asyncio.create_task(_read(session, kit, wire, stream, ready)))
            await ready
        yield stream
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await session.close()


async def _read(
    session: aiohttp.ClientSession, kit: Kit, wire: Wire, stream: Stream, ready: asyncio.Future[None]
) -> None:
    """Open one connection and pass on what comes; ``ready`` is set when it stands, or with what kept it from that."""
    try:
        reader = _websocket if wire.websocket else _event_stream
        async for pulse in reader(session, kit, wire, ready):
            await stream.queue.put(pulse)
        trouble: Exception = Broken(Answer.ERROR, "the stream ended early: the server closed it")
    except Exception as error:  # whatever it is: somebody waits to be told
        said = str(error) or type(error).__name__
        trouble = error if isinstance(error, NotRead) else Broken(Answer.ERROR, f"the stream ended early: {said}")
    if not ready.done():
        kit.fetches.append(Fetch(wire.url, kit.clock.now(), _answer(trouble), reason=str(trouble)))
        ready.set_exception(trouble)
    else:
        await stream.queue.put(trouble)


def _answer(trouble: Exception) -> Answer:
    return trouble.answer if isinstance(trouble, NotRead) else Answer.ERROR


async def _opening(kit: Kit, wire: Wire, connect: Any) -> Any:
    """The answer to the first request, within the host's pace; its turn is given back once the connection stands."""
    name, loop = host_key(wire.url), asyncio.get_running_loop()
    lease, begun, well = await kit.pacer.enter(name), loop.time(), False
    try:
        async with asyncio.timeout(OPENING):
            found = await connect()
        well = True
        return found
    except aiohttp.WSServerHandshakeError as error:
        told = {} if error.headers is None else {key.lower(): value for key, value in error.headers.items()}
        await _refuse(kit, name, error.status, told)
    finally:
        await kit.pacer.leave(name, lease, loop.time() - begun, well=well)


async def _refuse(kit: Kit, name: str, status: int, headers: Mapping[str, str]) -> None:
    """Raises Broken with what a status means; a host that asks to be left alone is."""
    if status in _ASKED_TO_WAIT:
        await kit.pacer.back_off(name, headers.get("retry-after"))
    answer, reason = classify(status, headers, b"")
    if answer is Answer.OK:
        answer, reason = Answer.ERROR, f"the stream was refused (status {status})"
    raise Broken(answer, reason, status)


def _stands(kit: Kit, wire: Wire, ready: asyncio.Future[None], status: int) -> None:
    kit.fetches.append(Fetch(wire.url, kit.clock.now(), Answer.OK, status))
    ready.set_result(None)


async def _websocket(
    session: aiohttp.ClientSession, kit: Kit, wire: Wire, ready: asyncio.Future[None]
) -> AsyncIterator[Pulse]:
    """Messages; after a silence the server is asked, and its answer is a sign of life."""

    async def connect() -> aiohttp.ClientWebSocketResponse:
        return await session.ws_connect(wire.url, headers=wire.headers, autoping=False, max_msg_size=LARGEST)

    socket = await _opening(kit, wire, connect)
    try:
        _stands(kit, wire, ready, 101)
        asked = False
        while True:
            try:
                message = await socket.receive(timeout=QUIET)
            except TimeoutError:
                if asked:
                    raise
                asked = True
                await socket.ping()
                continue
            asked = False
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                data = message.data
                yield Pulse(wire.name, data.encode("utf-8", "replace") if isinstance(data, str) else data)
            elif message.type is aiohttp.WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.PONG:
                yield Pulse(wire.name)
            else:
                return
    finally:
        await socket.close()


async def _event_stream(
    session: aiohttp.ClientSession, kit: Kit, wire: Wire, ready: asyncio.Future[None]
) -> AsyncIterator[Pulse]:
    """Events as ``text/event-stream`` has them; comments are signs of life."""
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **wire.headers}

    async def connect() -> aiohttp.ClientResponse:
        found = await session.get(wire.url, headers=headers, allow_redirects=False)
        if found.status != 200 or "event-stream" not in found.headers.get("Content-Type", ""):
            told = {key.lower(): value for key, value in found.headers.items()}
            found.close()
            await _refuse(kit, host_key(wire.url), found.status, told)
        return found

    response = await _opening(kit, wire, connect)
    try:
        _stands(kit, wire, ready, response.status)
        rest, kind, data = b"", "", list[bytes]()
        while chunk := await asyncio.wait_for(response.content.readany(), SILENT):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LARGEST or sum(map(len, data)) > LARGEST:
                raise Broken(Answer.ERROR, "the stream ended early: an event is too large")
            for line in (line.rstrip(b"\r") for line in lines):
                if line.startswith(b":"):
                    yield Pulse(wire.name)
                elif line.startswith(b"event:"):
                    kind = line[6:].strip().decode("utf-8", "replace")
                elif line.startswith(b"data:"):
                    data.append(line[5:].removeprefix(b" "))
                elif not line:
                    if data:
                        yield Pulse(wire.name, b"\n".join(data), kind)
                    kind, data = "", []
    finally:
        response.close()
