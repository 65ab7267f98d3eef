"""A file on a web server, read piece by piece through HTTP ranges (RFC 9110, section 14)."""

from __future__ import annotations

import io
import os
import re
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import httpx

from gis.errors import UnreadableFile

BLOCK: Final = 32 * 1024
"""Bytes fetched at a time where nothing larger is expected: a header with its records fits."""
BLOCKS_KEPT: Final = 32
GAP: Final = 64 * 1024
"""Bytes between two expected ranges that are fetched along rather than asked for twice."""
LARGEST_REQUEST: Final = 8 << 20
LARGEST_FILE: Final = 1 << 40
"""Bytes; a server that announces more than a terabyte of points is in error."""
ATTEMPTS: Final = 4
PAUSE: Final = 0.2
"""Seconds before the second attempt, doubled before each further one."""
TIME_LIMIT: Final = httpx.Timeout(30.0, connect=10.0)
REASONS: Final = {
    401: "may not be read: the server asks who you are (HTTP 401)",
    403: "may not be read: permission denied (HTTP 403)",
    404: "there is no such file (HTTP 404)",
    410: "there is no such file any more (HTTP 410)",
}
PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers after which it is worth asking again."""


class RemoteFile(io.RawIOBase):
    """A file that is read by ranges; what was fetched last is kept. Not for several threads at once."""

    def __init__(self, url: str) -> None:
        """Ask for the first block, which tells the size.

        Raises:
            UnreadableFile: there is no such file, it may not be read, or the server gives no ranges.
        """
        self.url = url
        self._place = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._spans: list[tuple[int, int]] = []
        self._span: tuple[int, bytes] = (0, b"")
        self._client = httpx.Client(timeout=TIME_LIMIT, follow_redirects=True, headers={"Accept-Encoding": "identity"})
        self._size: int | None = None
        self._state: tuple[str | None, str | None] | None = None
        try:
            self._blocks[0] = self._fetched(0, BLOCK)
        except BaseException:
            self._client.close()
            raise

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._size or 0

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Announce (offset, size) of what will be read, so that neighbours are fetched together."""
        spans: list[tuple[int, int]] = []
        for offset, size in sorted(ranges):
            end = min(offset + size, self.size)
            if spans and offset <= spans[-1][1] + GAP and max(end, spans[-1][1]) - spans[-1][0] <= LARGEST_REQUEST:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((offset, end))
        self._spans = spans

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; fewer at the end of the file.

        Raises:
            UnreadableFile: the server fails, or the file on it is another by now.
        """
        end = self.size if size is None or size < 0 else min(self._place + size, self.size)
        data = self._within_span(self._place, end)
        if data is None:
            data = self._by_blocks(self._place, end)
        self._place += len(data)
        return data

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Fill a buffer; how many bytes it got."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a place; nothing is fetched."""
        self._place = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence])
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Let go of the connection."""
        if not self.closed:
            self._client.close()
        super().close()

    def _within_span(self, start: int, end: int) -> bytes | None:
        """Bytes of an expected range, fetched with its neighbours; None where they were not expected."""
        first, data = self._span
        if not first <= start <= end <= first + len(data):
            found = bisect_right(self._spans, (start, LARGEST_FILE)) - 1
            if found < 0 or end > self._spans[found][1]:
                return None
            first, last = self._spans[found]
            data = self._fetched(first, last)
            self._span = first, data
        return data[start - first : end - first]

    def _by_blocks(self, start: int, end: int) -> bytes:
        if end - start > BLOCK * BLOCKS_KEPT // 2:
            return b"".join(
                self._fetched(one, min(one + LARGEST_REQUEST, end)) for one in range(start, end, LARGEST_REQUEST)
            )
        parts = []
        for number in range(start // BLOCK, -(-end // BLOCK)):
            if number not in self._blocks:
                self._blocks[number] = self._fetched(number * BLOCK, (number + 1) * BLOCK)
                while len(self._blocks) > BLOCKS_KEPT:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(number)
            first = number * BLOCK
            parts.append(self._blocks[number][max(start - first, 0) : end - first])
        return b"".join(parts)

    def _fetched(self, start: int, end: int) -> bytes:
        """Bytes start to end of the file, asked for again after a passing failure."""
        if self._size is not None:
            end = min(end, self._size)
        why = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            try:
                data, why = self._asked(start, end)
            except httpx.TransportError as error:
                why = f"the server does not answer: {str(error) or type(error).__name__}"
                continue
            except httpx.InvalidURL as error:
                raise UnreadableFile(self.url, f"is no address: {error}") from error
            except httpx.HTTPError as error:
                raise UnreadableFile(self.url, f"cannot be read: {error}") from error
            if data is not None:
                return data
        raise UnreadableFile(self.url, f"{why} ({ATTEMPTS} attempts)")

    def _asked(self, start: int, end: int) -> tuple[bytes | None, str]:
        """One request: the bytes, or why they did not come and may come yet."""
        with self._client.stream("GET", self.url, headers={"Range": f"bytes={start}-{end - 1}"}) as answer:
            code = answer.status_code
            if code in PASSING:
                return None, f"the server fails (HTTP {code})"
            if code in REASONS:
                raise UnreadableFile(self.url, REASONS[code])
            if code == 416 and start == 0 and self._size is None:
                raise UnreadableFile(self.url, "the file is empty")
            if code == 200:
                raise UnreadableFile(
                    self.url, "the server gives no ranges of a file, only all of it; download it first"
                )
            if code != 206:
                raise UnreadableFile(self.url, f"the server answers HTTP {code}")
            wanted = self._checked(answer, start, end)
            data = bytearray()
            for piece in answer.iter_raw():
                data += piece
                if len(data) > wanted:
                    raise UnreadableFile(self.url, "the server gives more bytes than it was asked for")
            if len(data) < wanted:
                return None, "the server breaks off"
            return bytes(data), ""

    def _checked(self, answer: httpx.Response, start: int, end: int) -> int:
        """Bytes that the answer will hold, which must be those asked for, of the file that was opened."""
        told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("content-range", "").strip())
        if told is None or answer.headers.get("content-encoding", "identity") != "identity":
            raise UnreadableFile(self.url, "the server gives a range without saying of how many bytes")
        first, last, size = (int(number) for number in told.groups())
        state = (answer.headers.get("etag"), answer.headers.get("last-modified"))
        if self._size is None:
            if size > LARGEST_FILE:
                raise UnreadableFile(self.url, f"the server says it has {size} bytes, more than any file of points")
            self._size, self._state = size, state
        elif size != self._size or state != self._state:
            raise UnreadableFile(self.url, "has changed on the server while it was read; read it again")
        if first != start or last != min(end, size) - 1:
            raise UnreadableFile(self.url, f"the server gives bytes {first} to {last} instead of {start} to {end - 1}")
        return last - first + 1
