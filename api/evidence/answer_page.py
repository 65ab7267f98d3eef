"""The page that says whether a sheet is genuine: for whoever scanned it."""

from __future__ import annotations

from html import escape

from api.evidence.page import ZONE
from api.evidence.style import STYLE
from api.evidence.texts import WORDS
from gis.store.evidence_sheets import Made


def answer_page(digest: str, found: Made | None, city: str) -> bytes:
    """What the register says of a digest, in both languages, with nothing about any person or parcel."""
    if found is None:
        title = "Không có trong sổ · Unknown"
        body = (
            "<p>Hệ thống này chưa lập phiếu chứng cứ nào có mã này. Tờ giấy bạn cầm không phải do hệ thống lập, "
            "hoặc mã đã bị chép sai.</p>"
            "<p>This register has made no evidence sheet of this code. What you hold was not made here, "
            "or the code was copied wrongly.</p>"
        )
        return _page(title, digest, body)
    day = found.made_at.astimezone(ZONE)
    kind = "–" if found.kind is None else " · ".join(WORDS[one].of("kind", found.kind) for one in ("vi", "en"))
    rows = (
        ("Vụ việc · Case", found.case_id or "–"),
        ("Nội dung · What", kind),
        ("Công trình · Building", found.building_uid),
        ("Đợt bay · Campaign", found.epoch),
        ("Lập lúc · Made at", f"{day:%d/%m/%Y %H:%M}"),
        ("Phần mềm · Software", f"diaba {found.software}"),
        ("Thành phố · City", city),
    )
    cells = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    body = (
        "<p>Hệ thống này đã lập một phiếu chứng cứ có mã này. Hãy so các dòng dưới đây với tờ giấy; để biết từng "
        "số liệu có bị sửa hay không, hãy kiểm tra tệp PDF.</p>"
        "<p>This register has made an evidence sheet of this code. Compare "
        "the lines below with your paper; whether a single figure was changed is told by verifying the PDF.</p>"
        f'<table class="facts"><tbody>{cells}</tbody></table>'
    )
    return _page("Phiếu có thật · Genuine", digest, body)


def _page(title: str, digest: str, body: str) -> bytes:
    return (
        '<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}"
        f'<p class="proof">SHA-256 {escape(digest)}</p></main></body></html>'
    ).encode()
