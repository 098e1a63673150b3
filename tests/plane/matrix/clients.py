"""Clients that others have written, against the bed of `mod.rs`: the same messages by the same seeds.

usage: clients.py PLAIN_PORT TLS_PORT ROOT_PEM MESSAGES SEED

`websockets` and `aiohttp` for WebSockets; `aiohttp` (HTTP/1.1) and `httpx` (HTTP/1.1 and HTTP/2) for events, uploads and
downloads. Exit code: 0 when every message arrived whole, else 1.
"""

import asyncio
import math
import socket
import ssl
import sys
import time

import aiohttp
import httpx
import websockets

PLAIN, TLS, ROOT = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
COUNT, SEED = int(sys.argv[4]), int(sys.argv[5])
SMALLEST, LARGEST, SLOW, PERIOD = 1024, 16 << 20, 256 * 1024, 1_000_003
ABREAST, STALLED = 24, 60
MASK = (1 << 64) - 1

# Names of the bed lead here.
_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    return _getaddrinfo("127.0.0.1" if name and name.endswith(".test") else host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo


class Random:
    """SplitMix64, as `cases.rs` has it."""

    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = ((self.state ^ (self.state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)

    def fraction(self):
        return (self.next() >> 11) / (1 << 53)


def period():
    random = Random(0)
    return bytes(ord("a") + random.next() % 26 for _ in range(PERIOD))


TEXT = period()


def text(size, seed):
    start = seed % PERIOD
    times = (start + size) // PERIOD + 1
    return (TEXT * times)[start : start + size]


class Case:
    def __init__(self, i, size, seed):
        self.kind = ["socket", "event", "upload", "download"][i % 4]
        self.tls, self.http2, self.slow = i // 4 % 2 == 1, i // 8 % 2 == 1, i // 16 % 2 == 1
        self.size, self.seed = size, seed
        self.h2c = self.kind != "socket" and seed % 2 == 1
        # Neither library speaks RFC 8441; each of them takes a half of the WebSockets.
        self.client = "httpx" if self.kind != "socket" and (self.http2 or seed // 4 % 2) else "aiohttp"
        if self.kind == "socket" and seed // 4 % 2:
            self.client = "websockets"
        self.host = "app1.test" if self.h2c else "app0.test"
        self.rate = max(SLOW, size // 4) if self.slow else 0

    def url(self, path, scheme="http"):
        port = TLS if self.tls else PLAIN
        rate = self.rate if self.kind == "upload" else 0
        query = f"size={self.size}&seed={self.seed}&rate={rate}"
        return f"{scheme}{'s' if self.tls else ''}://{self.host}:{port}/{path}?{query}"

    def __str__(self):
        http = "HTTP/2" if self.http2 and self.client == "httpx" else "HTTP/1.1"
        return f"{self.client} {self.kind} {'TLS' if self.tls else 'plain'} {http} {'slow' if self.slow else 'fast'}"


def cases():
    random = Random(SEED)
    low, high = math.log(SMALLEST), math.log(LARGEST)
    for i in range(COUNT):
        size = min(max(int(math.exp(low + (high - low) * random.fraction())), SMALLEST), LARGEST)
        yield Case(i, size, random.next())


def context(protocols):
    tls = ssl.create_default_context(cafile=ROOT)
    tls.set_alpn_protocols(protocols)
    return tls


async def paced(case, count):
    if case.slow and case.kind != "upload":
        await asyncio.sleep(count / case.rate)


async def gather(case, pieces, count):
    seen = bytearray()
    async for piece in pieces:
        seen += piece
        await paced(case, len(piece))
        if case.kind == "event" and len(seen) >= count:
            break
    return bytes(seen)


async def ask_aiohttp(case):
    tls = context(["http/1.1"]) if case.tls else None
    # A slow reader takes little before it reads.
    async with aiohttp.ClientSession(read_bufsize=4096 if case.slow else 65536) as session:
        if case.kind == "socket":
            url = case.url("ws", "ws")
            async with session.ws_connect(url, ssl=tls, max_msg_size=0, compress=0) as ws:
                await ws.send_bytes(text(case.size, case.seed))
                return await ws.receive_bytes()
        if case.kind == "upload":
            async with session.post(case.url("upload"), ssl=tls, data=text(case.size, case.seed)) as response:
                return await response.read()
        async with session.get(case.url(case.kind), ssl=tls) as response:
            return await gather(case, response.content.iter_chunked(16384), case.size)


async def ask_httpx(case):
    verify = context(["h2"] if case.http2 else ["http/1.1"]) if case.tls else False
    limits = httpx.Timeout(STALLED)
    async with httpx.AsyncClient(http1=not case.http2, http2=case.http2, verify=verify, timeout=limits) as client:
        if case.kind == "upload":
            return (await client.post(case.url("upload"), content=text(case.size, case.seed))).content
        async with client.stream("GET", case.url(case.kind)) as response:
            assert response.http_version == ("HTTP/2" if case.http2 else "HTTP/1.1"), response.http_version
            # As it comes: pieces of a given size would wait for the next event.
            return await gather(case, response.aiter_raw(), case.size)


async def ask_websockets(case):
    tls = context(["http/1.1"]) if case.tls else None
    url = case.url("ws", "ws")
    async with websockets.connect(url, ssl=tls, max_size=None, compression=None) as ws:
        await ws.send(text(case.size, case.seed))
        if not case.slow:
            return await ws.recv()
        seen = bytearray()
        async for piece in ws.recv_streaming():
            seen += piece
            await paced(case, len(piece))
        return bytes(seen)


ASK = {"aiohttp": ask_aiohttp, "httpx": ask_httpx, "websockets": ask_websockets}


async def one(case, room, wrong, seen):
    async with room:
        try:
            answer = await asyncio.wait_for(ASK[case.client](case), STALLED)
            expected = b"the same" if case.kind == "upload" else text(case.size, case.seed)
            if answer[: len(expected)] != expected or (len(answer) > len(expected) and case.kind != "event"):
                wrong.append(f"{case}, {case.size} bytes by {case.seed}: {len(answer)} others arrived")
        except Exception as error:  # each is told with its case
            wrong.append(f"{case}, {case.size} bytes by {case.seed}: {error!r}")
        seen[str(case)] = seen.get(str(case), 0) + 1


async def main():
    began, wrong, seen, room = time.monotonic(), [], {}, asyncio.Semaphore(ABREAST)
    await asyncio.gather(*(one(case, room, wrong, seen) for case in cases()))
    for combination, count in sorted(seen.items()):
        print(f"{combination}: {count}")
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    print(f"{COUNT} messages in {time.monotonic() - began:.0f} s, {len(wrong)} wrong")
    return bool(wrong)


sys.exit(asyncio.run(main()))
