"""Pages for people: what there is, a collection, its features as a table and a map, one feature.

Nothing is loaded from another host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from api.links import Link
from gis.store.collections import Collection
from gis.store.items import Page
from gis.store.property_types import TYPES

_COLUMNS_MOST = 8
"""Properties in a table of features; a feature's own page has all."""


def landing(base: str, city: str, description: str, links: Sequence[Link]) -> bytes:
    """The first page."""
    rows = "".join(
        f"<li>{_anchor(one['href'], one.get('title', one['href']))} <code>{escape(one['type'])}</code></li>"
        for one in links
        if one["rel"] not in ("self", "alternate")
    )
    body = (
        f"<p>Thông tin đất đai và xây dựng của thành phố · {escape(description)}</p>"
        f'<p><a class="button" href="{escape(base)}/">Mở bản đồ · Open the map</a> '
        f'<a class="button" href="{escape(base)}/collections?f=html">Lớp dữ liệu · Collections</a></p>'
        f"<ul>{rows}</ul>"
    )
    return _page(base, f"diaba · {city}", body, ())


def conformance(base: str, classes: Iterable[str]) -> bytes:
    """The conformance classes."""
    body = f"<ul>{''.join(f'<li><code>{escape(one)}</code></li>' for one in classes)}</ul>"
    return _page(base, "Chuẩn tuân thủ · Conformance", body, ())


def collections(base: str, described: Sequence[Mapping[str, Any]]) -> bytes:
    """All collections."""
    rows = "".join(
        f"<li>{_anchor(*_of(base, one['id'], one['title']))}<br><small>{escape(one['description'])}</small></li>"
        for one in described
    )
    return _page(base, "Lớp dữ liệu · Collections", f"<ul>{rows}</ul>", ())


def collection(base: str, described: Mapping[str, Any]) -> bytes:
    """One collection, with a map of its first features."""
    here = f"{base}/collections/{described['id']}"
    crs = "".join(f"<li><code>{escape(one)}</code></li>" for one in described["crs"])
    body = (
        f"<p>{escape(described['description'])}</p>"
        f'<p><a class="button" href="{escape(here)}/items?f=html">Xem dữ liệu · Features</a></p>'
        f"{_map(f'{here}/items?f=json&limit=200')}"
        f"<ul><li>{_anchor(f'{here}/queryables?f=html', 'Lọc theo · Queryables')}</li>"
        f"<li>{_anchor(f'{here}/sortables?f=html', 'Sắp xếp theo · Sortables')}</li></ul>"
        f"<h2>Hệ tọa độ · CRS</h2><ul>{crs}</ul>"
        f"<p>Lưu trữ · Stored in <code>{escape(described['storageCrs'])}</code></p>"
    )
    return _page(base, described["title"], body, (_collections(base),))


def properties(base: str, of: Collection, what: str, schema: Mapping[str, Any]) -> bytes:
    """The properties that can be filtered or sorted by."""
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(one.get('title', ''))}</td>"
        f"<td>{escape(one.get('format') or one.get('type', ''))}</td><td>{escape(one.get('x-ogc-unit', ''))}</td></tr>"
        for name, one in schema["properties"].items()
    )
    titles = {"queryables": "Lọc theo · Queryables", "sortables": "Sắp xếp theo · Sortables"}
    table = f"<table><tr><th>Tên · Name</th><th></th><th>Kiểu · Type</th><th>Đơn vị · Unit</th></tr>{rows}</table>"
    return _page(base, f"{titles[what]}: {of.title}", table, (_collections(base), _of(base, of.id, of.title)))


def items(base: str, of: Collection, page: Page, links: Sequence[Link], data: str) -> bytes:
    """A page of features: how many there are, a map, and a table.

    Args:
        base: the service's address.
        of: the collection.
        page: the features.
        links: of the page; `next` among them.
        data: where the map gets the same features as GeoJSON in degrees.
    """
    features = [orjson.loads(text) for text in page.features]
    first: dict[str, Any] = features[0] if features else {"id": "", "properties": {}}
    # The key is a property too.
    shown = [name for name, value in first["properties"].items() if value != first["id"]][:_COLUMNS_MOST]
    head = "".join(f"<th>{escape(TYPES[name].title)}</th>" for name in shown)
    rows = "".join(
        f"<tr><td>{_anchor(_item(base, of, one['id']), one['id'])}</td>{_cells(one['properties'], shown)}</tr>"
        for one in features
    )
    onward = next((one["href"] for one in links if one["rel"] == "next"), None)
    further = f'<p><a class="button" href="{escape(onward)}">Trang sau · Next page</a></p>' if onward else ""
    body = (
        f"<p>{_how_many(page)}</p>{_map(data)}"
        f"<table><tr><th>Mã · Key</th>{head}</tr>{rows}</table>{further}<p>{_anchor(data, 'GeoJSON')}</p>"
    )
    return _page(base, of.title, body, (_collections(base), _of(base, of.id, of.title)))


def item(base: str, of: Collection, feature: str, data: str) -> bytes:
    """One feature: its map and all of its properties."""
    told = orjson.loads(feature)
    rows = "".join(
        f"<tr><th>{escape(TYPES[name].title)}</th><td>{_value(value)} {escape(TYPES[name].unit or '')}</td></tr>"
        for name, value in told["properties"].items()
    )
    body = f"{_map(data)}<table>{rows}</table><p>{_anchor(data, 'GeoJSON')}</p>"
    listed = (f"{base}/collections/{of.id}/items?f=html", "Dữ liệu · Features")
    return _page(base, f"{of.title}: {told['id']}", body, (_collections(base), _of(base, of.id, of.title), listed))


def _item(base: str, of: Collection, key: str) -> str:
    return f"{base}/collections/{of.id}/items/{quote(key, safe='')}?f=html"


def _cells(values: Mapping[str, Any], shown: Sequence[str]) -> str:
    return "".join(f"<td>{_value(values.get(name))}</td>" for name in shown)


def _how_many(page: Page) -> str:
    if page.matched is not None:
        return f"{len(page.features)} / {page.matched}"
    return f"{len(page.features)} / ≈ {page.estimate}" if page.estimate is not None else str(len(page.features))


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return escape(value if isinstance(value, str) else orjson.dumps(value).decode())


def _map(data: str) -> str:
    return f'<div id="features" data-source="{escape(data)}" aria-label="Bản đồ · Map"></div>'


def _anchor(href: str, text: str) -> str:
    return f'<a href="{escape(href)}">{escape(text)}</a>'


def _collections(base: str) -> tuple[str, str]:
    return f"{base}/collections?f=html", "Lớp dữ liệu · Collections"


def _of(base: str, name: str, title: str) -> tuple[str, str]:
    return f"{base}/collections/{name}?f=html", title


def _page(base: str, title: str, body: str, above: Sequence[tuple[str, str]]) -> bytes:
    crumbs = " › ".join(_anchor(*one) for one in ((f"{base}/?f=html", "diaba"), *above))
    files = escape(f"{base}/viewer")
    script = f'<script type="module" src="{files}/features.js"></script>' if 'id="features"' in body else ""
    return f"""<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{files}/pages.css">
{script}
</head>
<body>
<nav>{crumbs}</nav>
<h1>{escape(title)}</h1>
{body}
</body>
</html>
""".encode()
