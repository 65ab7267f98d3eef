"""Evidence sheets: what is on their pages, who gets them, and what becomes of a forgery."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pypdfium2
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.annotations import Rectangle
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from weasyprint import HTML, Attachment

from api.evidence import build
from api.evidence.canonical import canonical
from api.evidence.page import Edition, page
from api.evidence.pdf import CONTENT, EDITION
from api.evidence.settings import SigningSettings, signing
from api.evidence.sheet import EvidenceSheet, Finding, parse_sheet
from api.evidence.signature import sign, signatures, signer_of
from api.evidence.verify import judged
from gis.access.roles import Role
from gis.errors import BadInput, BadParameter, UnreadableFile
from tests.api.conftest import CityStore, Run
from tests.api.evidence_samples import HERE_CASE, THERE_CASE, Authority, authority, fill
from tests.api.officials import Officials
from tests.api.security_doors import HERE, THERE

ADDRESS = f"/compliance/cases/{HERE_CASE}/evidence"
FIGURES = (12.4, 0.1, 11.6, 0.8)
"""Measured, σ, permitted, difference: as furnish() put them into the store."""


@pytest.fixture(scope="module")
def filed(make_store: Callable[..., CityStore], tmp_path_factory: pytest.TempPathFactory) -> CityStore:
    made = make_store("evidence")
    fill(made, tmp_path_factory.mktemp("evidence"))
    return made


@pytest.fixture(scope="module")
def officials(tmp_path_factory: pytest.TempPathFactory) -> Officials:
    return Officials(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def service(filed: CityStore, officials: Officials) -> Iterator[TestClient]:
    with officials.serve(filed) as made:
        yield made


@dataclass(frozen=True)
class Made:
    """A sheet as an inspector of the ward gets it, unsigned."""

    pdf: bytes
    html: str
    content: bytes
    sheet: EvidenceSheet
    edition: Edition


@pytest.fixture(scope="module")
def made(service: TestClient, officials: Officials) -> Made:
    who = officials(f"inspection:{HERE}")
    html = service.get(f"{ADDRESS}.html", headers=who)
    document = service.get(f"{ADDRESS}.pdf", headers=who)
    assert html.status_code == document.status_code == 200, document.text[:300]
    attached = pypdf.PdfReader(BytesIO(document.content)).attachments
    told = json.loads(attached[EDITION][0])
    edition = Edition(told["language"], told["address"], datetime.fromisoformat(told["made_at"]), "pdf")
    content = attached[CONTENT][0]
    return Made(document.content, html.text, content, parse_sheet(content, "it"), edition)


def words_of(document: bytes) -> str:
    """All text of a PDF as another library reads it, with single spaces."""
    return " ".join(" ".join(one.extract_text() for one in pypdf.PdfReader(BytesIO(document)).pages).split())


def vietnamese(number: float) -> str:
    return f"{number:.2f}".replace(".", ",")


def test_the_pages_show_the_figures_of_the_store_with_their_sigma(made: Made, filed: CityStore) -> None:
    with filed.database.open(Role.READER) as connection:
        row = connection.execute(
            text("SELECT actual, sigma, limit_value, delta FROM diaba.discrepancy WHERE id = :id"), {"id": HERE_CASE}
        ).one()
        height, spread = connection.execute(
            text("SELECT height, sigma_height FROM diaba.building_version WHERE uid = 'b-0003' AND epoch = '2025'")
        ).one()
    assert tuple(row) == FIGURES
    shown = words_of(made.pdf)
    actual, sigma, limit, delta = map(vietnamese, row)
    assert f"{actual} ± {sigma} m, giới hạn {limit} m" in shown
    assert f"+{delta} ± {sigma} m" in shown
    assert f"{vietnamese(height)} ± {vietnamese(spread)} m" in shown
    assert "Giấy phép GPXD-0003" in shown
    assert "Phiếu này không chứng minh điều gì" in shown
    assert "Trang 1 / 3" in shown
    assert "EPSG:9210" in shown


def test_every_font_is_embedded_and_the_structure_told(made: Made) -> None:
    reader = pypdf.PdfReader(BytesIO(made.pdf))
    assert reader.root_object["/Lang"] == "vi"
    assert reader.root_object["/MarkInfo"]["/Marked"]
    assert "Phiếu chứng cứ" in str(reader.metadata and reader.metadata.title)
    assert b"pdfuaid:part" in reader.root_object["/Metadata"].get_object().get_data()
    fonts = 0
    for one in reader.pages:
        for font in one["/Resources"]["/Font"].values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(inner), inner
            fonts += 1
    assert fonts


def test_the_attachments_hash_is_the_one_that_is_printed(made: Made) -> None:
    digest = sha256(made.content).hexdigest()
    assert digest in words_of(made.pdf).replace(" ", "")
    assert digest in made.html
    # The canonical form is what any JSON program makes of it with sorted names.
    assert json.dumps(json.loads(made.content), sort_keys=True, ensure_ascii=False, separators=(",", ":")) == (
        re.sub(r"(?<=[\d])\.0(?=[,\]}])", "", made.content.decode())
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=60,
)
NODE = """
const sorted = v => Array.isArray(v) ? '[' + v.map(sorted).join(',') + ']'
  : v !== null && typeof v === 'object'
    ? '{' + Object.keys(v).sort().map(k => JSON.stringify(k) + ':' + sorted(v[k])).join(',') + '}' : JSON.stringify(v);
process.stdout.write(sorted(JSON.parse(require('fs').readFileSync(0, 'utf8'))))
"""


@settings(max_examples=12, deadline=None)
@given(document=st.lists(JSON, min_size=8, max_size=30))
def test_the_canonical_form_is_that_of_ecmascript(document: list[Any]) -> None:
    document = [*document, 1e21, 1e-7, 123456789012345680000.0, 5e-324, -0.0, 0.1, 1e20, {"\ufb33": 1, "\U0001f600": 2}]
    theirs = subprocess.run(
        ["node", "-e", NODE], input=json.dumps(document).encode(), capture_output=True, check=True
    ).stdout
    assert canonical(document) == theirs


class _Judge(HTMLParser):
    """What of a page is not closed, and what it asks for from elsewhere."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.outside: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "iframe", "object", "link") or any(name.startswith("on") for name in told):
            self.wrong.append(tag)
        if tag == "img" and not told.get("alt"):
            self.wrong.append("img without alt")
        if tag in ("h1", "h2"):
            self.headings.append(tag)
        self.outside += [v or "" for n, v in attrs if n in ("src", "href") and not (v or "").startswith("data:")]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


def test_the_page_is_whole_in_itself(made: Made) -> None:
    judge = _Judge()
    judge.feed(made.html)
    judge.close()
    assert (judge.wrong, judge.outside, judge.open) == ([], [], [])
    assert judge.headings[0] == "h1"
    assert judge.headings.count("h1") == 1
    assert 'lang="vi"' in made.html
    assert "url(" not in made.html


def test_only_who_may_see_the_case_gets_its_sheet(service: TestClient, officials: Officials) -> None:
    for ending in ("html", "pdf"):
        assert service.get(f"{ADDRESS}.{ending}").status_code == 404
        assert service.get(f"{ADDRESS}.{ending}", headers=officials(f"inspection:{THERE}")).status_code == 404
        assert service.get(f"{ADDRESS}.{ending}", headers=officials(f"land:{HERE}")).status_code == 404
    there = f"/compliance/cases/{THERE_CASE}/evidence.html?lang=en"
    assert service.get(there, headers=officials(f"inspection:{HERE}")).status_code == 404
    answer = service.get(there, headers=officials(f"inspection:{THERE}"))
    assert "14.50 ± 0.10 m" in answer.text
    assert service.get("/compliance/cases/nothing/evidence.pdf", headers=officials("inspection:*")).status_code == 404


def test_no_name_is_on_a_sheet_but_for_who_may_see_people(
    made: Made, filed: CityStore, command_line: Callable[..., Run], tmp_path: Path
) -> None:
    assert "Nguyễn Thị" not in made.html + made.content.decode() + words_of(made.pdf)
    assert "không có quyền xem dữ liệu cá nhân" in made.html
    run = command_line(filed.settings.home, "--city", filed.city.name)
    path = tmp_path / "named.html"
    code, out, _ = run("compliance", "evidence", HERE_CASE, str(path), "--names", "--json")
    assert code == 0
    assert "Nguyễn Thị 3 (hư cấu)" in path.read_text(encoding="utf-8")
    # Other content is another sheet.
    assert json.loads(out)["digest"] != made.sheet.digest


def test_one_sheet_has_one_digest_in_every_language_and_form(
    made: Made, service: TestClient, officials: Officials, filed: CityStore
) -> None:
    who = officials(f"inspection:{HERE}")
    english = service.get(f"{ADDRESS}.html?lang=en", headers=who)
    assert made.sheet.digest in english.text
    assert 'lang="en"' in english.text
    assert "12.40 ± 0.10 m, limit 11.60 m" in english.text
    again = service.get(f"{ADDRESS}.pdf", headers=who)
    assert again.content == made.pdf
    assert "private" in again.headers["cache-control"]
    kept = service.get(f"{ADDRESS}.pdf", headers=who | {"If-None-Match": again.headers["etag"]})
    assert kept.status_code == 304
    with filed.database.open(Role.READER) as connection:
        count = text("SELECT count(*), min(made_by) FROM diaba.evidence_sheet WHERE digest = :digest")
        with pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(count, {"digest": made.sheet.digest})
    with filed.database.open(Role.OWNER) as connection:
        assert tuple(connection.execute(count, {"digest": made.sheet.digest}).one()) == (1, "an.official")


def test_anybody_may_ask_whether_a_sheet_is_genuine_and_learns_nothing_more(made: Made, service: TestClient) -> None:
    told = service.get(f"/evidence/{made.sheet.digest}").json()
    assert told["genuine"] is True
    assert (told["case"], told["building"], told["epoch"]) == (HERE_CASE, "b-0003", "2025")
    shown = service.get(f"/evidence/{made.sheet.digest}", headers={"Accept": "text/html"})
    assert "Genuine" in shown.text
    for secret in ("p-0003", "GPXD", "Nguyễn", "official", "12,4", "12.4"):
        assert secret not in shown.text + json.dumps(told, ensure_ascii=False)
    unknown = "f" * 64
    assert service.get(f"/evidence/{unknown}").status_code == 404
    page_of = service.get(f"/evidence/{unknown}?f=html")
    assert page_of.status_code == 404
    assert "Unknown" in page_of.text
    assert service.get("/evidence/short").status_code == 400


def test_the_register_of_sheets_only_grows_and_is_seen_by_ward(
    made: Made, filed: CityStore, service: TestClient
) -> None:
    assert made.sheet.finding is not None
    for statement in ("UPDATE diaba.evidence_sheet SET kind = 'x'", "DELETE FROM diaba.evidence_sheet"):
        with pytest.raises(DBAPIError), filed.database.engine(Role.OWNER).begin() as connection:
            connection.execute(text(statement))
    with filed.database.as_public().open(Role.READER) as connection:
        assert connection.scalar(text("SELECT count(digest) FROM diaba.evidence_sheet")) == 0


def test_a_sheet_that_is_what_it_says_is_found_good(made: Made) -> None:
    report = judged(made.pdf, "sheet")
    assert report.problems == ()
    assert report.digest == made.sheet.digest
    assert report.signatures == ()


def forged(made: Made, pages: str, content: bytes) -> bytes:
    """Any pages with a content attached, as our program would attach it."""
    edition = {
        "language": made.edition.language,
        "address": made.edition.address,
        "made_at": made.edition.made_at.isoformat(timespec="seconds"),
    }
    attached = ((CONTENT, content), (EDITION, json.dumps(edition).encode()))
    files = [Attachment(string=held, name=name) for name, held in attached]
    written: bytes = HTML(string=pages).write_pdf(attachments=files)
    return written


def test_a_whole_number_among_the_evidence_is_printed_as_its_json_reads_it_back(made: Made) -> None:
    assert made.sheet.finding is not None
    told = made.sheet.finding.model_dump() | {"evidence": {"covered_by_permits": 0.0, "floors": 3, "tolerance": 1.6}}
    sheet = made.sheet.model_copy(update={"finding": Finding.model_validate(told)})
    again = parse_sheet(json.dumps(json.loads(sheet.canonical)).encode(), "again")
    assert again.digest == sheet.digest
    assert page(again, made.edition) == page(sheet, made.edition)


def test_one_changed_figure_is_found_out_and_named(made: Made) -> None:
    assert made.sheet.finding is not None
    lower = made.sheet.model_copy(update={"finding": made.sheet.finding.model_copy(update={"actual": 11.9})})
    # The best a forger can do with the pages alone: all as our program makes it, the old hash printed.
    pages = page(lower, made.edition).replace(lower.digest, made.sheet.digest)
    pages = pages.replace(lower.digest[:16], made.sheet.digest[:16])
    report = judged(forged(made, pages, made.content), "sheet")
    assert any("11,90" in one and "12,40" in one and "page 1" in one for one in report.problems), report.problems


def test_a_content_that_was_changed_is_found_out(made: Made) -> None:
    assert made.sheet.finding is not None
    lower = made.sheet.model_copy(update={"finding": made.sheet.finding.model_copy(update={"actual": 11.9})})
    # It has another hash than the address it was issued under.
    assert any("SHA-256" in one for one in judged(forged(made, "<p>x", lower.canonical), "sheet").problems)
    # The same figures in another form are not the canonical text.
    loose = json.dumps(json.loads(made.content)).encode()
    assert any("canonical" in one for one in judged(forged(made, "<p>x", loose), "sheet").problems)


def test_what_is_painted_over_a_picture_is_found_out(made: Made) -> None:
    writer = pypdf.PdfWriter(clone_from=BytesIO(made.pdf))
    writer.add_annotation(0, Rectangle(rect=(60, 150, 300, 175), interior_color="ffffff"))
    painted = BytesIO()
    writer.write(painted)
    report = judged(painted.getvalue(), "sheet")
    assert len(report.problems) == 1
    assert "page 1" in report.problems[0]
    assert "pixels" in report.problems[0]


def test_what_is_no_sheet_is_refused(made: Made) -> None:
    with pytest.raises(UnreadableFile, match="no PDF"):
        judged(b"%PDF-1.7 nothing", "it")
    with pytest.raises(UnreadableFile, match="no PDF"):
        judged(made.pdf[:2000], "it")
    empty: bytes = HTML(string="<p>other").write_pdf()
    with pytest.raises(BadInput, match="no evidence sheet"):
        judged(empty, "it")
    with pytest.raises(BadInput, match="no evidence sheet"):
        parse_sheet(b'{"format": "diaba evidence 1"}', "it")
    with pytest.raises(BadInput, match="no evidence sheet"):
        parse_sheet(made.content.replace(b'"points":[[', b'"points":[[true,'), "it")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("office") / "ca", "Authority of the test")


def test_a_signature_is_believed_until_a_byte_changes(made: Made, office: Authority, tmp_path: Path) -> None:
    signer = signer_of(SigningSettings(office.key, office.certificate))
    signed = sign(made.pdf, signer, "test")
    assert signed.startswith(made.pdf)
    (one,) = signatures(signed, [office.root])
    assert (one.is_intact, one.is_trusted) == (True, True)
    assert "Office of the test" in one.signer
    assert b"ETSI.CAdES.detached" in signed
    assert judged(signed, "sheet", [office.root]).problems == ()
    other = authority(tmp_path / "other", "Another authority")
    assert [found.is_trusted for found in signatures(signed, [other.root])] == [False]
    # A digit of the document's identifier: nothing that is seen.
    place = signed.rindex(made.sheet.digest[:32].encode()) if made.sheet.digest[:32].encode() in signed else 40
    changed = signed[:place] + (b"0" if signed[place : place + 1] != b"0" else b"1") + signed[place + 1 :]
    assert [found.is_intact for found in signatures(changed, [office.root])] == [False]
    longer = pypdf.PdfWriter(BytesIO(signed), incremental=True)
    longer.add_annotation(0, Rectangle(rect=(10, 10, 60, 60), interior_color="ffffff"))
    added = BytesIO()
    longer.write(added)
    assert [found.is_intact for found in signatures(added.getvalue(), [office.root])] == [False]


def test_the_command_signs_and_judges(
    filed: CityStore,
    office: Authority,
    command_line: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    run = command_line(filed.settings.home, "--city", filed.city.name)
    monkeypatch.setenv("DIABA_SIGNING_KEY", str(office.key))
    monkeypatch.setenv("DIABA_SIGNING_CERTIFICATE", str(office.certificate))
    monkeypatch.setenv("DIABA_PUBLIC_URL", "https://dia-ba.example")
    path = tmp_path / "sheet.pdf"
    code, out, _ = run("compliance", "evidence", "--building", "b-0005", str(path), "--lang", "en", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["signed"]
    assert told["case"] is None
    assert told["address"] == f"https://dia-ba.example/evidence/{told['digest']}"
    assert "Within what is permitted as far as the survey can tell" in words_of(path.read_bytes())
    code, out, _ = run("compliance", "verify", str(path), "--register", "--trust", str(office.root), "--json")
    report = json.loads(out)
    assert (code, report["good"], report["known_to_register"]) == (0, True, True)
    assert report["signatures"][0]["trusted"] is True
    path.write_bytes(path.read_bytes() + b"\n% more")
    code, out, _ = run("compliance", "verify", str(path), "--json")
    assert code == 3
    assert "changed after it" in json.loads(out)["problems"][0]
    assert run("compliance", "verify", str(office.key))[0] == 3
    assert run("compliance", "evidence", "nothing", str(tmp_path / "no.pdf"))[0] == 3
    assert run("compliance", "evidence", HERE_CASE, str(tmp_path / "sheet.docx"))[0] == 2
    assert not (tmp_path / "no.pdf").exists()
    monkeypatch.delenv("DIABA_SIGNING_KEY")
    assert build.signer_of_installation() is None


def test_signing_is_refused_without_its_files(office: Authority, tmp_path: Path) -> None:
    assert signing({}) is None
    with pytest.raises(BadParameter, match="no such file"):
        signing({"DIABA_SIGNING_KEY": str(tmp_path / "none.key")})
    with pytest.raises(BadParameter, match="certificate"):
        signing({"DIABA_SIGNING_KEY": str(office.key)})
    wrong = replace(SigningSettings(office.key, office.certificate), certificate=office.key)
    with pytest.raises(UnreadableFile, match="cannot be used"):
        signer_of(wrong)


def test_the_qr_code_leads_to_the_page_that_verifies(made: Made) -> None:
    """As another program draws the code of that address."""
    import segno

    shown = re.search(r'<img src="(data:image/png;base64,[^"]+)" alt="[^"]*/evidence/', made.html)
    assert shown is not None
    assert shown[1] == segno.make(
        f"http://testserver/evidence/{made.sheet.digest}", error="m", micro=False
    ).png_data_uri(scale=8, border=2)
    assert datetime.now(UTC) > made.edition.made_at


def test_pages_fit_and_nothing_hangs_over(made: Made) -> None:
    document = pypdfium2.PdfDocument(made.pdf)
    for one in document:
        grey = one.render(scale=1, grayscale=True).to_numpy()
        rows, columns = np.nonzero(grey < 200)
        assert columns.min() > 30
        assert columns.max() < grey.shape[1] - 30
        # A printer cannot reach the last four millimetres.
        assert rows.max() < grey.shape[0] - 12
    assert len(document) == 3
    document.close()
