"""A city behind a service, through its public interface: OGC API - Features, the search, and terrain as values."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from gis.bounds import BoundingBox
from gis.city_model.building import Building
from gis.city_model.cityjson import read_cityjson
from gis.client.tables import Feature
from gis.client.view import CityView
from gis.construction.inspections import Inspection
from gis.crs import WGS84, normalise
from gis.errors import BadInput, BadParameter, Conflict, DiabaError, NotFound, StoreUnreachable
from gis.raster import Raster, decode_raster

TIME_LIMIT = httpx.Timeout(60.0, connect=10.0)
PAGE = 1000
"""Features of one answer; a service that gives fewer at most gives fewer."""
TRIES = 6
WAIT_MOST = 30.0
"""Seconds that are waited at most before asking again, whatever the service says."""
_CODE = re.compile(r"/EPSG/[0-9.]+/([0-9]+)$")


class Refused(DiabaError):
    """The service does not do what it was asked, and says why."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(f"the service refuses ({status}): {why}")


@dataclass(frozen=True, slots=True)
class RemoteCity(CityView):
    """A city's service and what it says of itself."""

    client: httpx.Client
    url: str
    title: str
    storage: str
    """URI of the register's CRS."""
    flat: CRS

    @classmethod
    def at(cls, url: str, token: str | None = None) -> RemoteCity:
        """The city served at an address.

        Raises:
            BadParameter: it is no http or https address, or no service of this kind is there.
            StoreUnreachable: it does not answer.
        """
        url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(headers=headers, timeout=TIME_LIMIT, follow_redirects=True)
        try:
            title = _ask(client, f"{url}/", {"f": "json"}).json()["title"]
            storage = _ask(client, f"{url}/collections/parcels", {}).json()["storageCrs"]
            code = _CODE.search(storage)
            return cls(client, url, str(title), storage, normalise(int(code[1]) if code else storage))
        except (ValueError, KeyError, TypeError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadParameter("where", url, "no service of a city is there") from error

    @property
    def name(self) -> str:  # noqa: D102
        return self.title.rpartition(" · ")[2]

    @property
    def crs(self) -> CRS:  # noqa: D102
        return self.flat

    @property
    def _is_north_first(self) -> bool:
        """Whether coordinates of the register's CRS come as (north, east), the order its authority set."""
        return self.flat.axis_info[0].direction.lower() in ("north", "south")

    def _features(
        self,
        collection: str,
        bounds: BoundingBox | None,
        day: date | None,
        known_at: datetime | None,
        properties: Mapping[str, str],
    ) -> Iterator[Feature]:
        asked = {**properties, "crs": self.storage, "limit": str(PAGE), **self._box(bounds)}
        asked |= {"datetime": day.isoformat()} if day else {}
        asked |= {"known_at": known_at.isoformat()} if known_at else {}
        url: str | None = f"{self.url}/collections/{collection}/items"
        while url is not None:
            page = _ask(self.client, url, asked).json()
            yield from map(self._feature, page["features"])
            # The link has all that was asked in it.
            url, asked = next((link["href"] for link in page["links"] if link["rel"] == "next"), None), {}

    def _cases(
        self,
        bounds: BoundingBox | None,
        known_at: datetime | None,
        min_confidence: float | None,
        properties: Mapping[str, str],
    ) -> Iterator[Feature]:
        box = {name: value for name, value in self._box(bounds).items() if name == "bbox"}
        asked = {**properties, "crs": self.storage, "limit": str(PAGE), "sort": "id", **box}
        asked |= {"known_at": known_at.isoformat()} if known_at else {}
        asked |= {"min_confidence": _text(min_confidence)} if min_confidence is not None else {}
        url: str | None = f"{self.url}/compliance/cases"
        while url is not None:
            page = _ask(self.client, url, asked).json()
            for case in page["cases"]:
                geometry = case.pop("geometry")
                yield self._feature({"geometry": geometry, "properties": case})
            url, asked = next((link["href"] for link in page["links"] if link["rel"] == "next"), None), {}

    def _statistics(self, epoch: str | None) -> list[Mapping[str, Any]]:
        asked = {"epoch": epoch} if epoch else {}
        kinds: list[Mapping[str, Any]] = _ask(self.client, f"{self.url}/compliance/statistics", asked).json()["kinds"]
        return kinds

    def _search(self, text: str, day: date | None, known_at: datetime | None, limit: int) -> Iterable[Feature]:
        asked = {"text": text, "crs": self.storage, "limit": str(limit)}
        asked |= {"as_of": day.isoformat()} if day else {}
        asked |= {"known_at": known_at.isoformat()} if known_at else {}
        found = _ask(self.client, f"{self.url}/parcels/search", asked).json()
        return [self._feature(one) for one in found["features"]]

    def _envelope(
        self,
        uid: str,
        filed_on: date | None,
        as_of: date | None,
        use: str | None,
        area_kind: str | None,
        height: float | None,
    ) -> tuple[Mapping[str, Any], list[BaseGeometry]]:
        told: dict[str, str | None] = {
            "filed_on": None if filed_on is None else filed_on.isoformat(),
            "as_of": None if as_of is None else as_of.isoformat(),
            "use": use,
            "area_kind": area_kind,
            "height": None if height is None else _text(height),
            "crs": self.storage,
        }
        asked = {name: value for name, value in told.items() if value is not None}
        found = _ask(self.client, f"{self.url}/parcels/{quote(uid, safe='')}/envelope", asked).json()
        steps = (found["envelope"] or {"steps": []})["steps"]
        outlines = [self._shape(one["polygon"]) for one in (found["lot"], *steps)]
        return found, outlines

    def _raster(self, product: str, bounds: BoundingBox | None, epoch: str | None) -> Raster:
        asked = self._box(bounds) | ({"epoch": epoch} if epoch else {})
        return decode_raster(_ask(self.client, f"{self.url}/raster/{product}/coverage", asked).content)

    def _changes(self, from_: str, to: str, bounds: BoundingBox | None) -> Iterable[Feature]:
        asked = {"from": from_, "to": to, "crs": self.storage, **self._box(bounds)}
        return [
            self._feature(one) for one in _ask(self.client, f"{self.url}/change/buildings", asked).json()["features"]
        ]

    def _earth(self, from_: str, to: str, bounds: BoundingBox) -> dict[str, Any]:
        found: dict[str, Any] = _ask(
            self.client, f"{self.url}/change/earth", {"from": from_, "to": to, **self._box(bounds)}
        ).json()
        return found

    def _flood(self, level: float, bounds: BoundingBox, sigma_level: float, epoch: str | None) -> Iterable[Feature]:
        asked = {"level": _text(level), "sigma_level": _text(sigma_level), "crs": self.storage, **self._box(bounds)}
        asked |= {"epoch": epoch} if epoch else {}
        return [self._feature(one) for one in _ask(self.client, f"{self.url}/flood", asked).json()["features"]]

    def _dossier(self, receipt: str, secret: str) -> dict[str, Any]:
        asked = {"receipt": receipt, "secret": secret}
        found: dict[str, Any] = _ask(self.client, f"{self.url}/permits/status", asked).json()
        return found

    def _models(self, bounds: BoundingBox, day: date | None, known_at: datetime | None) -> list[Building]:
        asked = self._box(bounds) | {"f": "cityjsonseq"}
        asked |= {"datetime": day.isoformat()} if day else {}
        asked |= {"known_at": known_at.isoformat()} if known_at else {}
        answer = _ask(self.client, f"{self.url}/buildings", asked)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "models.city.jsonl"
            path.write_bytes(answer.content)
            return list(read_cityjson(path)[0])

    def _files(self, collection: str, bounds: BoundingBox | None, epoch: str | None) -> list[Path | str]:
        asked = {"limit": str(PAGE)}
        if bounds is not None:
            asked["bbox"] = ",".join(map(_text, bounds.to(WGS84).tuple))
        url: str | None = f"{self.url}/stac/collections/{collection}/items"
        found: list[Path | str] = []
        while url is not None:
            page = _ask(self.client, url, asked).json()
            wanted = (one for one in page["features"] if epoch in (None, one["properties"]["diaba:epoch"]))
            found += [one["assets"]["data"]["href"] for one in wanted]
            url, asked = next((link["href"] for link in page["links"] if link["rel"] == "next"), None), {}
        return found

    def _inspect(self, case: str, seen: Inspection) -> None:
        url = f"{self.url}/compliance/cases/{quote(case, safe='')}"
        told = {
            "inspected_on": seen.inspected_on.isoformat(),
            "outcome": seen.outcome.value,
            "measured_value": seen.measured_value,
            "note": seen.note,
        }
        state = _ask(self.client, url, {}).headers["etag"]
        body = {name: value for name, value in told.items() if value is not None}
        _sent(self.client, "POST", f"{url}/inspections", headers={"If-Match": state}, json=body)

    def _height(self, product: str, x: float, y: float, epoch: str | None) -> float:
        # Easting and northing in this order, whatever the CRS's.
        asked = {"x": _text(x), "y": _text(y), "crs": self.storage} | ({"epoch": epoch} if epoch else {})
        try:
            return float(_ask(self.client, f"{self.url}/raster/{product}/value", asked).json()["value"])
        except NotFound:
            return float("nan")

    def _box(self, bounds: BoundingBox | None) -> dict[str, str]:
        if bounds is None:
            return {}
        west, south, east, north = bounds.tuple
        box = (south, west, north, east) if self._is_north_first else (west, south, east, north)
        return {"bbox": ",".join(map(_text, box)), "bbox-crs": self.storage}

    def _feature(self, document: Mapping[str, Any]) -> Feature:
        told = document["geometry"]
        return Feature(None if told is None else self._shape(told), document["properties"])

    def _shape(self, told: Mapping[str, Any]) -> BaseGeometry:
        shape = shapely.geometry.shape(dict(told))
        return shapely.transform(shape, lambda xy: xy[:, ::-1]) if self._is_north_first else shape


def _text(value: float) -> str:
    """All digits of it, so that the service asks for the very same place."""
    return repr(float(value))


def _ask(client: httpx.Client, url: str, asked: Mapping[str, str]) -> httpx.Response:
    """The answer to a question; see `_sent`."""
    return _sent(client, "GET", url, params=asked or None)


def _sent(client: httpx.Client, method: str, url: str, **what: Any) -> httpx.Response:
    """The answer; asked again after the time the service names while it is busy or counts too many requests.

    Raises:
        NotFound: there is nothing of that name.
        BadInput: the service cannot use what was asked.
        Conflict: what is there now does not allow it.
        Refused: it does not answer this caller.
        StoreUnreachable: it does not answer at all.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            answer = client.request(method, url, **what)
        except httpx.UnsupportedProtocol:
            raise
        except httpx.TransportError as error:
            raise StoreUnreachable(url.split("?")[0], str(error) or type(error).__name__) from error
        if answer.status_code not in (429, 503) or not tries_left:
            break
        wait = answer.headers.get("retry-after", "")
        time.sleep(min(float(wait) if wait.isdigit() else 1.0, WAIT_MOST))
    if answer.is_success:
        return answer
    try:
        why = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        why = answer.reason_phrase
    if answer.status_code == 404:
        raise NotFound("answer", f"at {answer.url.path}: {why}")
    if answer.status_code == 400:
        raise BadInput(why)
    if answer.status_code in (409, 412):
        raise Conflict(why)
    if answer.status_code >= 500:
        raise StoreUnreachable(url.split("?")[0], why)
    raise Refused(answer.status_code, why)
