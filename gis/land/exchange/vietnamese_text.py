"""Text of files from before Unicode: cp1258, TCVN3 (.Vn fonts) and VNI (VNI fonts)."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from gis.errors import BadParameter

TCVN3, VNI = "tcvn3", "vni"
CANDIDATES = ("utf-8", TCVN3, VNI, "cp1258")
"""What is tried on bytes whose encoding is not told, for the question to the user."""

# TCVN 5712:1993, bytes A1–AE and B5–FE that Vietnamese uses; capitals with a tone are a matter of the font there.
_TCVN3_LETTERS = {
    0xA1: "ĂÂÊÔƠƯĐăâêôơưđ",
    0xB5: "àảãáạ",
    0xBB: "ằẳẵắ",
    0xC6: "ặầẩẫấậè",
    0xCE: "ẻẽéẹềểễếệìỉ",
    0xDC: "ĩíịò",
    0xE1: "ỏõóọồổỗốộờởỡớợù",
    0xF1: "ủũúụừửữứựỳỷỹýỵ",
}
_TONES = {"ø": "\u0300", "ù": "\u0301", "û": "\u0309", "õ": "\u0303", "ï": "\u0323"}
# VNI: the base letter, then one sign for what is above or below it.
_MARKS = {
    "ê": "\u0306",
    "è": "\u0306\u0300",
    "é": "\u0306\u0301",
    "ú": "\u0306\u0309",
    "ü": "\u0306\u0303",
    "ë": "\u0306\u0323",
    "â": "\u0302",
    "à": "\u0302\u0300",
    "á": "\u0302\u0301",
    "å": "\u0302\u0309",
    "ã": "\u0302\u0303",
    "ä": "\u0302\u0323",
}
_VNI_ALONE = {"ñ": "đ", "ô": "ơ", "ö": "ư", "ì": "ì", "í": "í", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}


def decode(raw: bytes, encoding: str) -> str:
    """The text in composed Unicode (NFC).

    Raises:
        BadParameter: the encoding is unknown.
        UnicodeDecodeError: the bytes are not of it.
    """
    if encoding == TCVN3:
        text = raw.decode("latin-1").translate(_tcvn3())
    elif encoding == VNI:
        text = _from_vni(raw.decode("cp1252", errors="replace"))
    else:
        text = raw.decode(checked_name(encoding))
    return unicodedata.normalize("NFC", text)


def checked_name(encoding: str) -> str:
    """The encoding's name as Python knows it, or one of ours.

    Raises:
        BadParameter: it is unknown.
    """
    lowered = encoding.lower()
    if lowered in (TCVN3, VNI):
        return lowered
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise BadParameter("encoding", encoding[:40], f"unknown; one of {', '.join(CANDIDATES)}") from None


def question(samples: Iterable[bytes]) -> str:
    """How the first text that is not plain ASCII reads in each candidate, for a person to choose."""
    sample = next((raw for raw in samples if not raw.isascii()), b"")[:60]
    shown = []
    for name in CANDIDATES:
        try:
            shown.append(f"{name} '{decode(sample, name)}'")
        except UnicodeDecodeError:
            continue
    return f"which encoding are its texts in? Say so with --encoding; one reads {', '.join(shown)}"


@lru_cache(maxsize=1)
def _tcvn3() -> dict[int, str]:
    return {start + place: letter for start, letters in _TCVN3_LETTERS.items() for place, letter in enumerate(letters)}


def _from_vni(text: str) -> str:
    """Letters of VNI, read from the left: a base may be followed by one sign."""
    found: list[str] = []
    place = 0
    while place < len(text):
        letter = text[place]
        following = text[place + 1].lower() if place + 1 < len(text) else ""
        base = _alone(letter)
        marks = _marks(letter.lower(), following)
        found.append(base + marks)
        place += 2 if marks else 1
    return "".join(found)


def _alone(letter: str) -> str:
    known = _VNI_ALONE.get(letter.lower())
    if known is None:
        return letter
    return known.upper() if letter.isupper() else known


def _marks(base: str, sign: str) -> str:
    if base in "aeo" and sign in _MARKS:
        marks = _MARKS[sign]
        # Only a has the breve; the circumflex stands over a, e and o.
        return marks if base == "a" or marks[0] == "\u0302" else ""
    return _TONES.get(sign, "") if base in "aeouyôö" else ""
