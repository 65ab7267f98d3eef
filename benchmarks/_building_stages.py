"""Seconds of the processor by stage of a building's reconstruction, taken where one stage calls the next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from lidar import roof_models, roof_partition

STAGES: tuple[tuple[str, ModuleType, str], ...] = (
    ("planes", roof_models, "roof_planes"),
    ("light wells", roof_models, "with_wells"),
    ("lines", roof_partition, "border_lines"),
    ("noding and faces", roof_partition, "subdivide"),
    ("cost of faces", roof_partition, "_costs"),
    ("labelling", roof_partition, "expansion_labels"),
    ("solids", roof_models, "mended_solid"),
    ("validity", roof_models, "defects"),
)
"""Name, and the function as the module that calls it knows it. None calls another of them."""


class Stages:
    """Counts while it is entered; `seconds` then holds them by stage, of the functions given too."""

    def __init__(self, *more: tuple[str, ModuleType, str]) -> None:
        self.seconds: Counter[str] = Counter()
        self._stages = (*STAGES, *more)
        self._genuine: list[Callable[..., Any]] = []

    def __enter__(self) -> Stages:
        self._genuine = [getattr(module, function) for _, module, function in self._stages]
        for (name, module, function), genuine in zip(self._stages, self._genuine, strict=True):
            setattr(module, function, self._timed(name, genuine))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for (_, module, function), genuine in zip(self._stages, self._genuine, strict=True):
            setattr(module, function, genuine)

    def _timed(self, name: str, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            began = time.process_time()
            try:
                return genuine(*arguments)
            finally:
                self.seconds[name] += time.process_time() - began

        return timed

    def table(self, buildings: int, total: float) -> str:
        """Milliseconds a building and shares, the costliest first, with what is in none of them."""
        rest = total - sum(self.seconds.values())
        rows = [*self.seconds.most_common(), ("the rest", rest)]
        return "\n".join(f"  {name:18}{1000 * s / buildings:8.2f} ms{100 * s / total:6.1f} %" for name, s in rows)
