"""SVG as text: the few shapes that maps and sections are drawn with. Units are tenths of a millimetre on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

INK, GREY, PALE, RED = "#111", "#666", "#bbb", "#a11919"
"""Colours that are told apart in grey too; no meaning hangs on the hue."""
FONT = "DejaVu Sans"


class Picture:
    """A picture of a width and height, filled from back to front."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def path(
        self,
        rings: Iterable[Sequence[tuple[float, float]]],
        *,
        fill: str = "none",
        opacity: float = 1.0,
        stroke: str = INK,
        width: float = 0.0,
        dash: str = "",
        closed: bool = True,
    ) -> None:
        """Lines, or the area within rings, holes left out."""
        drawn = " ".join(
            "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + ("Z" if closed else "") for ring in rings
        )
        if not drawn:
            return
        line = f'stroke="{stroke}" stroke-width="{width:g}"' if width else 'stroke="none"'
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        seen = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
        self._parts.append(f'<path d="{drawn}" fill="{fill}"{seen} fill-rule="evenodd" {line}{dashes}/>')

    def line(self, *places: tuple[float, float], stroke: str = INK, width: float = 3, dash: str = "") -> None:
        """A line through places."""
        self.path([places], stroke=stroke, width=width, dash=dash, closed=False)

    def dots(self, places: Iterable[tuple[float, float]], *, size: float, stroke: str = INK) -> None:
        """Round dots."""
        drawn = "".join(f"M{x:.1f} {y:.1f}h.01" for x, y in places)
        if drawn:
            self._parts.append(
                f'<path d="{drawn}" fill="none" stroke="{stroke}" stroke-width="{size:g}" stroke-linecap="round"/>'
            )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 24,
        anchor: str = "start",
        turned: bool = False,
        bold: bool = False,
        fill: str = INK,
        halo: bool = False,
    ) -> None:
        """A line of text; turned, it reads from below."""
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        weight = ' font-weight="bold"' if bold else ""
        if halo:
            # As wide as DejaVu's letters are, about; there is nothing to measure them with here.
            wide = 0.62 * size * len(text)
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
            self._parts.append(
                f'<rect x="{left - 3:.1f}" y="{y - 0.85 * size:.1f}" width="{wide + 6:.1f}" height="{1.1 * size:.1f}" '
                'fill="#fff" fill-opacity="0.85"/>'
            )
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-family="{FONT}" font-size="{size:g}" text-anchor="{anchor}" '
            f'fill="{fill}"{weight}{turn}>{escape(text)}</text>'
        )

    def __str__(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width / 10:g}mm" height="{self.height / 10:g}mm" '
            f'viewBox="0 0 {self.width:g} {self.height:g}">{"".join(self._parts)}</svg>'
        )

    @property
    def uri(self) -> str:
        """As a data: URI."""
        return data_uri(str(self).encode(), "image/svg+xml")


def data_uri(content: bytes, media_type: str) -> str:
    """Content as an address of its own."""
    return f"data:{media_type};base64,{b64encode(content).decode()}"
