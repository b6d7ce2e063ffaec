"""A TCP proxy that fails as networks do: one listening port a link, on an event loop of its own.

    with Proxy() as proxy:
        proxy.open("kafka-1", 18001, 18002)       # listen, target
        proxy.fault("kafka-1", "blackhole")
        proxy.heal("kafka-1")

What a link can suffer (FAULTS); one at a time, for all its connections:
    latency    every piece waits value milliseconds, in both directions
    blackhole  connections are taken and stay, and nothing passes; goes on where it was when healed
    reset      those that are there get an RST, and so does every new one
    half-open  the target's side is closed, the client is not told; its next byte gets an RST when
               the link is healed, and silence until then
    cut        each connection gets an RST in the middle: after value more bytes to the client
    refuse     those that are there get an RST; nobody listens
"""
import asyncio
import contextlib
import socket
import struct
import threading

FAULTS = ("latency", "blackhole", "reset", "half-open", "cut", "refuse")
PIECE = 65536
GIVE_UP_S = 30


def _reset(writer):
    """Close it so that the other side gets an RST, not a FIN."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class _Pair:
    """One client and its connection to the target."""

    def __init__(self, link, client, target):
        self.link, self.client, self.target = link, client, target
        self.half_open, self.passed = False, 0

    def reset(self):
        """Both sides."""
        for _, writer in (self.client, self.target):
            _reset(writer)

    def leave_half(self):
        """The target is told that it is over, the client is not."""
        self.half_open = True
        _reset(self.target[1])

    async def pump(self, reader, writer, to_client):
        """Bytes of one direction, until its end; an RST of either side is one for both."""
        try:
            await self._pass_on(reader, writer, to_client)
        except OSError:
            if not self.half_open:
                self.reset()

    async def _pass_on(self, reader, writer, to_client):
        while True:
            data = await reader.read(PIECE)
            await self.link.delay()
            if self.half_open:
                if to_client:
                    return  # and the client's side stays
                await self.link.healthy.wait()
                return self.reset()
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return None
            data, whole = self._cut(data, to_client)
            writer.write(data)
            await writer.drain()
            if not whole:
                return self.reset()

    def _cut(self, data, to_client):
        if self.link.kind != "cut" or not to_client:
            return data, True
        self.passed += len(data)
        return data[:max(0, len(data) - (self.passed - self.link.value))], \
            self.passed <= self.link.value

    async def run(self):
        """Until both directions have ended."""
        pumps = [asyncio.ensure_future(self.pump(self.client[0], self.target[1], False)),
                 asyncio.ensure_future(self.pump(self.target[0], self.client[1], True))]
        try:
            await asyncio.gather(*pumps)
            if self.half_open:
                await self.link.healthy.wait()
        finally:
            for pump in pumps:
                pump.cancel()
            for _, writer in (self.client, self.target):
                writer.close()


class _Link:
    """One listening port. Everything here runs on the loop."""

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.kind, self.value = None, 0
        self.server, self.pairs, self.tasks, self.bytes = None, set(), set(), 0
        self.healthy, self.open = asyncio.Event(), asyncio.Event()
        self.healthy.set()
        self.open.set()

    async def listen(self):
        """Take connections."""
        if self.server is None:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port,
                                                     reuse_address=True)

    async def delay(self):
        """What a piece waits before it goes on."""
        if self.kind == "latency":
            await asyncio.sleep(self.value / 1000)
        await self.open.wait()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self._connect(reader, writer)
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.tasks.discard(task)

    async def _connect(self, reader, writer):
        await self.open.wait()
        if self.kind == "reset":
            return _reset(writer)
        if self.kind == "half-open":  # a client that nobody answers
            await self.healthy.wait()
            return _reset(writer)
        pair = _Pair(self, (reader, writer),
                     await asyncio.open_connection("127.0.0.1", self.target))
        self.pairs.add(pair)
        try:
            await pair.run()
        finally:
            self.pairs.discard(pair)

    def reset(self):
        """All that is there now."""
        for pair in list(self.pairs):
            pair.reset()

    async def fault(self, kind, value):
        """Begin to suffer."""
        await self.heal()
        self.kind, self.value = kind, value
        self.healthy.clear()
        if kind == "blackhole":
            self.open.clear()
        if kind == "refuse":
            self.server.close()
            self.server = None
        if kind in ("refuse", "reset"):
            self.reset()
        for pair in list(self.pairs):
            pair.passed = 0
            if kind == "half-open":
                pair.leave_half()

    async def heal(self):
        """As if nothing had been; connections that are lost stay lost."""
        self.kind, self.value = None, 0
        await self.listen()
        self.healthy.set()
        self.open.set()

    def aim(self, target):
        """Another target; who is connected to the old one is cut off."""
        self.target = target
        self.reset()

    def close(self):
        """No more of it."""
        if self.server is not None:
            self.server.close()
        for task in list(self.tasks):
            task.cancel()


class Proxy:
    """Its methods may be called from any thread and return when it is so."""

    def __init__(self):
        self.links, self.loop = {}, asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(GIVE_UP_S)

    def open(self, name, port, target):
        """A new link; port 0: any. -> the port it listens on."""
        async def begin():
            link = _Link(port, target)
            await link.listen()
            link.port = link.server.sockets[0].getsockname()[1]
            self.links[name] = link
            return link.port
        return self._do(begin())

    def fault(self, name, kind, value=0):
        """kind: one of FAULTS."""
        if kind not in FAULTS:
            raise ValueError(f"no such fault: {kind}")
        self._do(self.links[name].fault(kind, value))

    def heal(self, *names):
        """These, or all."""
        for name in names or list(self.links):
            self._do(self.links[name].heal())

    def aim(self, name, target):
        """See _Link.aim."""
        async def turn():
            self.links[name].aim(target)
        self._do(turn())

    def connections(self, name):
        """How many there are."""
        return len(self.links[name].pairs)

    def close(self):
        """End everything, the thread too."""
        async def end():
            for link in self.links.values():
                link.close()
            await asyncio.sleep(0)
        self._do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(GIVE_UP_S)
