"""A web server on this machine that misbehaves as it is told to."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Source:
    """What is served, how, and which ranges were asked for.

    Attributes:
        content: The file.
        status: The status of every answer, if it is not 200 or 206.
        ranges: Whether ranges are served.
        break_off_after: How many bytes of an answer are sent before the connection is closed.
        bytes_per_s: How fast.
        location: Where every request is redirected to.
        length: What Content-Length claims, if anything but the truth; "" for no such line.
        content_range: What Content-Range claims, if anything but the truth.
    """

    content: bytes
    status: int = 200
    ranges: bool = True
    break_off_after: int | None = None
    bytes_per_s: float | None = None
    location: str | None = None
    length: str | None = None
    content_range: str | None = None
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(*sources: Source) -> Iterator[None]:
    """Serve each source from an address of its own, written into its ``url``."""
    servers = [
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(source)) for source in sources
    ]
    for server, source in zip(servers, sources, strict=True):
        source.url = f"http://127.0.0.1:{server.server_port}/file"
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _handler(source: Source) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            source.asked.append(asked)
            start = int(asked[6:-1]) if asked and source.ranges else 0
            status = source.status if source.status != 200 or not start else 206
            if source.location:
                status = 302
            self.send_response(status)
            for name, value in _headers(source, start, status).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the other side may have had enough
                self._send(source.content[start:][: source.break_off_after])

        def _send(self, body: bytes) -> None:
            step = len(body) if source.bytes_per_s is None else max(1, int(source.bytes_per_s / 50))
            for at in range(0, len(body), step or 1):
                self.wfile.write(body[at : at + step])
                time.sleep(0 if source.bytes_per_s is None else step / source.bytes_per_s)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _headers(source: Source, start: int, status: int) -> dict[str, str]:
    size = len(source.content)
    length = str(size - start) if source.length is None else source.length
    headers = {"Content-Length": length} if length else {}
    if status == 206:
        headers["Content-Range"] = source.content_range or f"bytes {start}-{size - 1}/{size}"
    if source.location:
        headers["Location"] = source.location
    return headers
