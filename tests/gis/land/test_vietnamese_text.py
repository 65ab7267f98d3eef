"""Encodings from before Unicode, against the tables converters publish: letter by letter."""

from __future__ import annotations

import unicodedata

import pytest

from gis.errors import BadParameter
from gis.land.exchange.vietnamese_text import decode, question

UNICODE = (
    "à á ả ã ạ ă ằ ắ ẳ ẵ ặ â ầ ấ ẩ ẫ ậ đ è é ẻ ẽ ẹ ê ề ế ể ễ ệ ì í ỉ ĩ ị "
    "ò ó ỏ õ ọ ô ồ ố ổ ỗ ộ ơ ờ ớ ở ỡ ợ ù ú ủ ũ ụ ư ừ ứ ử ữ ự ỳ ý ỷ ỹ ỵ"
)
TCVN3 = (
    "µ ¸ ¶ · ¹ ¨ » ¾ ¼ ½ Æ © Ç Ê È É Ë ® Ì Ð Î Ï Ñ ª Ò Õ Ó Ô Ö × Ý Ø Ü Þ "
    "ß ã á â ä « å è æ ç é ¬ ê í ë ì î ï ó ñ ò ô \xad õ ø ö ÷ ù ú ý û ü þ"
)
VNI = (
    "aø aù aû aõ aï aê aè aé aú aü aë aâ aà aá aå aã aä ñ eø eù eû eõ eï eâ eà eá eå eã eä ì í æ ó ò "
    "oø où oû oõ oï oâ oà oá oå oã oä ô ôø ôù ôû ôõ ôï uø uù uû uõ uï ö öø öù öû öõ öï yø yù yû yõ î"
)


def test_every_letter_of_tcvn3_is_read() -> None:
    assert len(UNICODE.split(" ")) == len(TCVN3.split(" ")) == 67
    assert decode(TCVN3.encode("latin-1"), "tcvn3") == UNICODE


def test_every_letter_of_vni_is_read_small_and_large() -> None:
    assert decode(VNI.encode("cp1252"), "vni") == UNICODE
    assert decode(VNI.upper().encode("cp1252"), "vni") == UNICODE.upper()


@pytest.mark.parametrize("letter", UNICODE.split(" "))
def test_every_letter_of_cp1258_becomes_one_composed_letter(letter: str) -> None:
    # The code page has â, ă, ê, ô, ơ, ư and đ whole and puts tones behind them.
    base, tones = "", ""
    for part in unicodedata.normalize("NFD", letter):
        if part in "\u0300\u0301\u0303\u0309\u0323":
            tones += part
        else:
            base = unicodedata.normalize("NFC", base + part)
    assert decode((base + tones).encode("cp1258"), "CP1258") == letter


def test_ascii_is_the_same_in_all_of_them() -> None:
    text = "12/3 Le Loi, P. Ben Nghe; Q.1 (so 7) aeiouy AEIOUY"
    assert {decode(text.encode(), name) for name in ("utf-8", "tcvn3", "vni", "cp1258")} == {text}


def test_a_question_shows_how_a_text_reads() -> None:
    said = question([b"plain", "§­êng".encode("latin-1")])
    assert "tcvn3 'Đường'" in said
    assert "utf-8 '" not in said
    with pytest.raises(BadParameter, match="encoding"):
        decode(b"x", "no-such-encoding")
