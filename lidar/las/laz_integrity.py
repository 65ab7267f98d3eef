"""Damage that decodes: LAZ has no checksum, but its points must compress to the very bytes they came from."""

from __future__ import annotations

import struct
from io import BytesIO
from threading import Lock

import lazrs
import numpy as np
from numpy.typing import NDArray

from gis.errors import UnreadableFile
from lidar.las.header import LasHeader
from lidar.las.laz_chunks import VARIABLE, LazRecord, guarded, layer_lengths

CODER_TAIL = 4
"""Bytes an arithmetic coder may end in, in a way of its own."""


class Integrity:
    """Compares a file's compressed bytes with what its own points compress to, part by part.

    The coder is deterministic, and every writer met (LASzip, laz-perf, laz-rs) codes alike. A flipped bit changes what
    follows it in its chunk (in its layer, from point format 6 on), and the stream then ends elsewhere. A file is
    called damaged when some parts agree and some do not; where none agrees, its writer codes in a way of its own,
    which says nothing.
    """

    def __init__(self, header: LasHeader, record: LazRecord) -> None:
        self._header, self._record, self._lock = header, record, Lock()
        self.agreeing = 0
        """Parts (layers, or chunks where there are no layers) that came out the same."""
        self.differing = 0

    def note(self, agreeing: int, differing: int) -> None:
        """Take in parts that were compared; several threads may.

        Raises:
            UnreadableFile: the file is damaged.
        """
        with self._lock:
            self.agreeing += agreeing
            self.differing += differing
            is_damaged = bool(self.agreeing and self.differing)
        if is_damaged:
            raise UnreadableFile(self._header.path, "damaged: compressed points are not what their values compress to")

    def compare(self, compressed: bytes, records: NDArray[np.uint8]) -> None:
        """Take in a chunk: its compressed bytes and its decompressed records.

        Raises:
            UnreadableFile: the file is damaged.
        """
        again = self._compressed(records)
        if again == compressed:
            self.note(1, 0)
        elif not self._record.layers:
            self.note(int(_diverges_late(compressed, again)), 1)
        else:
            self.note(*self._layers_alike(compressed, again))

    def _layers_alike(self, original: bytes, again: bytes) -> tuple[int, int]:
        """Layers that came out the same, and layers that did not."""
        head = self._header.record_length + 4 + 4 * self._record.layers
        places, alike = [head, head], 0
        lengths = zip(*(layer_lengths(self._header, self._record, data) for data in (original, again)), strict=True)
        for ours, theirs in lengths:
            alike += original[places[0] : places[0] + ours] == again[places[1] : places[1] + theirs]
            places[0] += ours
            places[1] += theirs
        return alike, self._record.layers - alike

    def _compressed(self, records: NDArray[np.uint8]) -> bytes:
        """The chunk these records compress to."""

        def compress() -> bytes:
            sink = BytesIO()
            compressor = lazrs.LasZipCompressor(sink, lazrs.LazVlr(self._with_variable_chunks()))
            compressor.compress_many(records)
            compressor.done()
            written = sink.getvalue()
            (table,) = struct.unpack_from("<q", written)
            return written[8:table]

        return guarded(self._header, compress)

    def _with_variable_chunks(self) -> bytes:
        """The LASzip record, its chunk size replaced, so that chunks are cut where the file has them."""
        return self._record.data[:12] + struct.pack("<I", VARIABLE) + self._record.data[16:]


def _diverges_late(original: bytes, again: bytes) -> bool:
    """Whether two codings agree for more than half of their way, and then differ in more than how they end."""
    both = min(len(original), len(again))
    alike = np.frombuffer(original, np.uint8, both) == np.frombuffer(again, np.uint8, both)
    agreed = both if alike.all() else int(np.argmin(alike))
    return 2 * agreed > len(original) and agreed < len(original) - CODER_TAIL
