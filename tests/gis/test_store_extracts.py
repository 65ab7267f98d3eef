"""Extracts, certificates, papers and restrictions: who, what, where, since when, by which paper, as believed when."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from shapely import MultiPolygon, Polygon, box
from sqlalchemy import Connection, text

from gis.errors import BadGeometry, BadInput, Conflict, NotFound, UnreadableFile
from gis.land.certificates import Certificate, CertificateStatus
from gis.land.sources import SignatureStatus, SourceDocument
from gis.store import certificates, extracts, restrictions, sources, transfers
from gis.store.restrictions import Restriction
from gis.store.sources import FileState
from tests.gis.rights_samples import DAY, settle, transfer
from tests.gis.store_samples import lot

YEAR = timedelta(days=365)


def _now(connection: Connection) -> datetime:
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def _certificate(serial: str, status: str, day: date, **more: object) -> Certificate:
    values = {"issued": None if status == "draft" else DAY, **more}
    return Certificate(serial, "p", CertificateStatus(status), day, **values)  # type: ignore[arg-type]


def test_a_certificate_lives_from_draft_to_its_successor(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}})
    certificates.save(writer, [_certificate("BA 1", "draft", DAY)])
    certificates.save(writer, [_certificate("BA 1", "issued", DAY + YEAR, book_no="CH 7")])
    certificates.save(writer, [_certificate("BA 1", "lost", DAY + 2 * YEAR, book_no="CH 7")])
    certificates.save(writer, [_certificate("DA 2", "issued", DAY + 3 * YEAR, book_no="CS 8")])
    then = _now(writer)
    replaced = _certificate("BA 1", "replaced", DAY + 3 * YEAR, book_no="CH 7", replaced_by="DA 2")
    certificates.save(writer, [replaced])
    assert [one.status for one in certificates.life(writer, "BA 1")] == ["draft", "issued", "lost", "replaced"]
    assert [one.status for one in certificates.life(writer, "BA 1", then)] == ["draft", "issued", "lost"]
    at = DAY + 4 * YEAR
    assert [(one.serial, one.status) for one in certificates.find(writer, "CH 7", at)] == [("BA 1", "replaced")]
    assert [one.status for one in certificates.find(writer, "BA 1", at, known_at=then)] == ["lost"]
    assert [one.status for one in certificates.find(writer, "BA 1", DAY)] == ["draft"]
    assert certificates.find(writer, "BA 1", DAY - YEAR) == []
    assert [one.serial for one in certificates.of_units(writer, ["p"], at)] == ["BA 1", "DA 2"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["replaced"], "replaced from 2010-01-01 is no legal step; a life begins with draft, issued"),
        (["draft", "lost"], "lost from 2011-01-01 is no legal step; after draft comes issued, revoked"),
        (["issued", "draft"], "after issued comes replaced, revoked, lost"),
        (["issued", "revoked", "issued"], "after revoked comes nothing"),
    ],
)
def test_a_certificate_takes_no_step_the_table_does_not_have(
    writer: Connection, steps: list[str], message: str
) -> None:
    settle(writer, {"p": {"A": "1"}})
    told = [_certificate("BA 1", status, DAY + years * YEAR) for years, status in enumerate(steps)]
    for one in told[:-1]:
        certificates.save(writer, [one])
    with pytest.raises(Conflict, match=message):
        certificates.save(writer, told[-1:])


def test_a_certificate_that_cannot_be_is_refused(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1"}})
    with pytest.raises(BadInput, match="say when it was issued"):
        certificates.save(writer, [_certificate("BA 1", "issued", DAY, issued=None)])
    with pytest.raises(BadInput, match="only a replaced certificate has a successor"):
        certificates.save(writer, [_certificate("BA 1", "issued", DAY, replaced_by="X")])
    with pytest.raises(NotFound, match="no unit q"):
        certificates.save(writer, [Certificate("BA 1", "q", CertificateStatus.DRAFT, DAY)])
    certificates.save(writer, [_certificate("BA 1", "issued", DAY)])
    with pytest.raises(NotFound, match="no certificate X, which is said to replace BA 1"):
        certificates.save(writer, [_certificate("BA 1", "replaced", DAY + YEAR, replaced_by="X")])
    with pytest.raises(NotFound, match="no certificate none"):
        certificates.life(writer, "none")


def test_a_tampered_or_missing_paper_is_found(writer: Connection, tmp_path: Path) -> None:
    paper, city = tmp_path / "contract.PDF", tmp_path / "city"
    kept: dict[str, SourceDocument] = {}
    for name in ("good", "changed", "gone"):
        paper.write_bytes(f"%PDF {name}".encode())
        kept[name] = sources.add_file(writer, city, paper, SourceDocument(name, "contract", "1/2026"))

    assert kept["good"].sha256 == hashlib.sha256(b"%PDF good").hexdigest()
    file = city / str(kept["changed"].path)
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(file.read_bytes().replace(b"changed", b"chanGed"))
    (city / str(kept["gone"].path)).unlink()
    found = {one.document.uid: (one.state, one.found) for one in sources.check_files(writer, city)}
    assert found == {
        "good": (FileState.INTACT, kept["good"].sha256),
        "changed": (FileState.TAMPERED, hashlib.sha256(b"%PDF chanGed").hexdigest()),
        "gone": (FileState.MISSING, None),
    }
    # The same file given again puts the good one back.
    paper.write_bytes(b"%PDF changed")
    sources.add_file(writer, city, paper, SourceDocument("changed", "contract", "1/2026"))
    assert {one.document.uid for one in sources.check_files(writer, city) if one.state is FileState.INTACT} == {
        "good",
        "changed",
    }


def test_a_paper_is_what_its_digest_says(writer: Connection, tmp_path: Path) -> None:
    paper = tmp_path / "x.pdf"
    paper.write_bytes(b"x")
    with pytest.raises(BadInput, match="its SHA-256 is 2d711642"):
        sources.add_file(writer, tmp_path, paper, SourceDocument("x", "contract", sha256="0" * 64))
    with pytest.raises(BadInput, match="64 digits"):
        sources.save(writer, [SourceDocument("x", "contract", sha256="abc")])
    with pytest.raises(BadInput, match="its uid is letters"):
        sources.save(writer, [SourceDocument("a b;c", "contract")])
    with pytest.raises(UnreadableFile, match="no such file"):
        sources.add_file(writer, tmp_path, tmp_path / "none", SourceDocument("x", "contract"))


def test_a_paper_told_again_keeps_its_file_and_its_history(writer: Connection, tmp_path: Path) -> None:
    paper = tmp_path / "x.pdf"
    paper.write_bytes(b"x")
    first = sources.add_file(writer, tmp_path, paper, SourceDocument("x", "contract", "1"))
    then = _now(writer)
    sources.save(writer, [SourceDocument("x", "contract", "1", signature_status=SignatureStatus.VERIFIED)])
    (now,) = sources.of_uids(writer, ["x"])
    assert (now.sha256, now.path, now.signature_status) == (first.sha256, first.path, "verified")
    assert [one.signature_status for one in sources.of_uids(writer, ["x"], known_at=then)] == ["unsigned"]


def test_restrictions_are_found_where_they_lie_on_a_parcel(writer: Connection) -> None:
    """Lots of 5 m × 20 m; a corridor 8 m wide covers 40 % of the depth of the first two and touches the third."""
    settle(writer, {"p": {"A": "1"}, "q": {"A": "1"}, "r": {"A": "1"}})
    x0, y0, *_ = lot(0).bounds
    x2 = lot(2).bounds[0]
    corridor = box(x0 - 50, y0 - 3, x2, y0 + 8)
    restrictions.save(writer, [Restriction("c", "power_line_corridor", corridor, DAY, DAY + YEAR, "EVN")])
    then = _now(writer)
    restrictions.save(writer, [Restriction("m", "monument_zone", MultiPolygon([lot(0), lot(2)]), DAY)])
    found = restrictions.of_parcel(writer, "p", DAY)
    assert [(one.uid, one.type) for one in found] == [("m", "monument_zone"), ("c", "power_line_corridor")]
    assert [one.area_m2 for one in found] == pytest.approx([100.0, 40.0])
    assert [one.fraction for one in found] == pytest.approx([1.0, 0.4])
    assert found[1].area_m2 == pytest.approx(corridor.intersection(lot(0)).area)
    assert [one.uid for one in restrictions.of_parcel(writer, "p", DAY, known_at=then)] == ["c"]
    assert [one.uid for one in restrictions.of_parcel(writer, "q", DAY)] == ["c"]
    # It touches the third lot's side in a line.
    assert [one.uid for one in restrictions.of_parcel(writer, "r", DAY)] == ["m"]
    assert [one.uid for one in restrictions.of_parcel(writer, "q", DAY + YEAR)] == []
    assert restrictions.current(writer, DAY).crs.to_epsg() == 9210
    crossing = Polygon([(x0, y0), (x0 + 5, y0 + 5), (x0 + 5, y0), (x0, y0 + 5)])
    with pytest.raises(BadGeometry, match="restriction z: Self-intersection"):
        restrictions.save(writer, [Restriction("z", "road_reserve", crossing, DAY)])
    with pytest.raises(BadInput, match="ownership is no restriction"):
        restrictions.save(writer, [Restriction("z", "ownership", corridor, DAY)])


def test_an_extract_says_who_since_when_by_which_paper_and_what_was_believed(writer: Connection) -> None:
    settle(writer, {"p": {"A": "1/2", "B": "1/2"}}, ["C"])
    sources.save(writer, [SourceDocument("hd", "notarised_contract", "12/2010", DAY, "a" * 64)])
    certificates.save(writer, [_certificate("BA 1", "issued", DAY)])
    restrictions.save(writer, [Restriction("c", "road_reserve", lot(0), DAY)])
    then = _now(writer)
    # Told today, of a day long ago: the register did not know it when that day ended.
    sold = transfer({"A": "1/2"}, {"C": "1/2"}, 100)
    transfers.transfer(writer, type(sold)(sold.kind, "p", sold.type, sold.day, sold.givers, sold.takers, source="hd"))
    on = DAY + timedelta(days=200)
    found = extracts.extract(writer, "p", on)
    assert [(one.party, str(one.share), one.start) for one in found.rights] == [
        ("B", "1/2", DAY),
        ("C", "1/2", sold.day),
    ]
    assert found.parties["C"].name == "Bà C"
    assert found.identities["C"] == "*********067"
    assert found.papers["hd"].number == "12/2010"
    # When that day of 2010 ended, this register knew nothing yet.
    assert found.believed == ()
    assert found.belief_changed
    before = extracts.extract(writer, "p", on, known_at=then)
    assert [one.party for one in before.rights] == ["A", "B"]
    today = extracts.extract(writer, "p")
    assert [one.party for one in today.believed] == ["B", "C"]
    assert not today.belief_changed
    told = "\n".join(found.lines())
    for part in (
        "EXTRACT OF PARCEL p",
        "Quyền sử dụng đất / Land use right 1/2: Bà C (person C), số định danh / identity *********067",
        "từ / since 2010-04-11; theo / by notarised_contract 12/2010 2010-01-01 (unsigned, sha256 aaaaaaaaaaaa…)",
        "BA 1: issued từ / since 2010-01-01",
        "Lộ giới / Road reserve (c): 100.0 m², 100%",
        "chưa biết gì / nothing yet",
    ):
        assert part in told
    assert "079000000067" not in told
    with pytest.raises(NotFound, match="no parcel p on 1999-01-01"):
        extracts.extract(writer, "p", date(1999, 1, 1))
