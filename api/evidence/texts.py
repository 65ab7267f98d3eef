"""The words of a sheet in Vietnamese and English, and how numbers and days are written there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from api.evidence.texts_en import ENGLISH
from api.evidence.texts_vi import VIETNAMESE

Language = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    language: Language
    texts: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.texts[key]

    def __call__(self, key: str, **values: Any) -> str:
        """A text with values in it."""
        return self.texts[key].format(**values)

    def of(self, group: str, key: str | None) -> str:
        """The name of a code: `kind` `storeys`; the code itself where it has none, a dash without a code."""
        return "–" if key is None else self.texts.get(f"{group}.{key}", key)

    def number(self, value: float | None, digits: int = 2) -> str:
        """A number with the language's decimal sign; a dash where there is none."""
        if value is None:
            return "–"
        text = f"{value:.{digits}f}".replace("-", "−")
        return text.replace(".", ",") if self.language == "vi" else text

    def signed(self, value: float, digits: int = 2) -> str:
        """A number with its sign."""
        return ("+" if value >= 0 else "") + self.number(value, digits)

    def figure(self, value: float | None, sigma: float | None, unit: str | None, digits: int = 2) -> str:
        """A measured value with its standard deviation."""
        if value is None:
            return "–"
        spread = "" if sigma is None else f" ± {self.number(sigma, digits)}"
        return f"{self.number(value, digits)}{spread} {self.of('unit', unit or '')}".rstrip()

    def day(self, iso: str | None) -> str:
        """A day, as 17/05/2013 or 17 May 2013."""
        if iso is None:
            return "–"
        day = date.fromisoformat(iso[:10])
        return (
            f"{day.day:02d}/{day.month:02d}/{day.year}"
            if self.language == "vi"
            else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
        )


_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WORDS: Final[Mapping[Language, Words]] = {"vi": Words("vi", VIETNAMESE), "en": Words("en", ENGLISH)}
