"""One page of HTML for paper and screen: everything in the file, nothing asked of any other host."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gis.files import written_whole

Tone = Literal["good", "bad", "warn", "plain"]
DOTS_PER_INCH: Final = 150
"""Of pictures; a figure of 3.5 inches is half the width of an A4 page."""
INK, BLUE, RED, GREEN, AMBER, PALE = "#1c2733", "#2166ac", "#b2182b", "#2e7d32", "#b26a00", "#d5dbe1"
STYLE: Final = """
@page { size: A4; margin: 12mm }
* { box-sizing: border-box }
body { font: 10pt/1.4 "Noto Sans", "DejaVu Sans", Arial, sans-serif; color: #1c2733; max-width: 186mm; margin: 6mm auto;
  padding: 0 2mm; -webkit-print-color-adjust: exact; print-color-adjust: exact }
h1 { font-size: 16pt; margin: 0 } h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; border-bottom: .4mm solid #2166ac }
p { margin: 1mm 0 } .sub { color: #5b6875; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; font-size: 8.8pt; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .7mm 1.6mm; border-bottom: .2mm solid #d5dbe1; vertical-align: top }
th { background: #eef2f6; font-weight: 600 } th:first-child, td:first-child { text-align: left }
table.facts td { text-align: left; overflow-wrap: anywhere } table.facts td:first-child { color: #5b6875; width: 32mm }
.row { display: grid; grid-template-columns: 1fr 1fr; gap: 4mm; align-items: start }
figure { margin: 1.5mm 0; break-inside: avoid } figure img { width: 100%; display: block }
figcaption { font-size: 8pt; color: #5b6875 }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 3mm; margin: 3mm 0 }
.card { border: .3mm solid #d5dbe1; border-left: 1.2mm solid #8795a3; padding: 1.5mm 2.5mm; break-inside: avoid }
.card b { display: block; font-size: 13pt } .card span { font-size: 8pt; color: #5b6875 }
.good { border-left-color: #2e7d32 } .bad { border-left-color: #b2182b } .warn { border-left-color: #d98200 }
ul.list { list-style: none; margin: 0; padding: 0 }
ul.list li { border-left: 1.2mm solid #8795a3; padding: .6mm 2mm; margin: .8mm 0; break-inside: avoid;
  overflow-wrap: anywhere }
ul.list li.good { border-left-color: #2e7d32 } ul.list li.bad { background: #fbeeee; border-left-color: #b2182b }
ul.list li.warn { background: #fff6e6; border-left-color: #d98200 }
section { break-inside: auto } section.next { break-before: page } tr { break-inside: avoid }
footer { margin-top: 5mm; font-size: 7.5pt; color: #5b6875; border-top: .2mm solid #d5dbe1 }
@media screen and (max-width: 640px) { .row, .cards { grid-template-columns: 1fr 1fr } }
"""


def page(title: str, subtitle: str, blocks: Iterable[str], source: str) -> str:
    """The whole document, from blocks of HTML; `source` says at the foot what its figures follow."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f'<h1>{escape(title)}</h1><p class="sub">{escape(subtitle)}</p>\n'
        + "\n".join(blocks)
        + f"\n<footer>diaba {escape(version('diaba'))}. {escape(source)}</footer></body></html>\n"
    )


def write_page(html: str, path: Path) -> None:
    """Write it, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(html, encoding="utf-8")


def heading(text: str) -> str:
    """Of a part of the page."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    """A line or two of small text."""
    return f'<p class="sub">{escape(text)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Figures under a head; the first column is the row's name."""
    cells = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>{cells}</table>"


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """What is known of a thing: name and value."""
    cells = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table class="facts">{cells}</table>'


def cards(items: Iterable[tuple[str, str, Tone]]) -> str:
    """The few figures a reader looks for first: value, what it is, and how good."""
    shown = "".join(
        f'<div class="card {tone}"><b>{escape(value)}</b><span>{escape(what)}</span></div>'
        for value, what, tone in items
    )
    return f'<div class="cards">{shown}</div>'


def remarks(items: Iterable[tuple[str, Tone]]) -> str:
    """Lines that a reader must heed, coloured by how much."""
    return '<ul class="list">' + "".join(f'<li class="{tone}">{escape(text)}</li>' for text, tone in items) + "</ul>"


def beside(blocks: Iterable[str]) -> str:
    """Blocks in two columns."""
    return f'<div class="row">{"".join(blocks)}</div>'


def picture(figure: Figure, caption: str) -> str:
    """A drawing, inside the page."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="data:image/png;base64,{encoded}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def drawing(width: float = 3.6, height: float = 2.9) -> tuple[Figure, Any]:
    """An empty figure and its axes, inches."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(labelsize=6, colors=INK)
    for side in axes.spines.values():
        side.set_color(PALE)
    return figure, axes


def label(axes: Any, across: str, up: str) -> None:
    """Name the axes, with their units."""
    axes.set_xlabel(across, fontsize=7, color=INK)
    axes.set_ylabel(up, fontsize=7, color=INK)


def as_map(axes: Any) -> None:
    """Axes in metres of one scale, with whole coordinates."""
    axes.set_aspect("equal")
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(labelsize=5.5)
    axes.tick_params(axis="y", labelrotation=90)
    axes.locator_params(nbins=4)
