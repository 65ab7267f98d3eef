"""XML read element by element in bounded memory; a document type, and with it every entity, is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat
from xml.sax.saxutils import escape as escape_text

from gis.errors import UnreadableFile

DEPTH_MOST = 60
"""Elements within each other; real files have about ten."""
RECORD_MOST = 200_000
"""Elements, and 64 characters of text each, of one record."""
_CHUNK = 1 << 18


def records(path: Path, tag: str) -> Iterator[tuple[int, Element]]:
    """The elements of a name `{namespace}local`, each with the line it starts in, in the file's order.

    The root's attributes are found under `tag` "" as the first element, without children.

    Raises:
        UnreadableFile: it is no well-formed XML, has a document type, or nests too deeply.
    """
    reader = _Reader(path, tag)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                reader.parser.Parse(chunk, False)
                yield from reader.taken()
        reader.parser.Parse(b"", True)
        yield from reader.taken()
    except UnreadableFile:
        # Also a ValueError, but it says what is wrong already.
        raise
    except OSError as error:
        raise UnreadableFile(path, "there is no such file" if not path.exists() else str(error.strerror)) from error
    except expat.ExpatError as error:
        why = expat.ErrorString(error.code)
        raise UnreadableFile(path, f"line {error.lineno}: not well-formed XML ({why})") from error
    except (ValueError, LookupError) as error:
        raise UnreadableFile(path, f"not XML that can be read ({str(error)[:80]})") from error


def text_of(element: Element | None) -> str | None:
    """An element's text without blanks around it; None where there is none."""
    if element is None or element.text is None:
        return None
    return element.text.strip() or None


def escaped(value: object) -> str:
    """Text as it may stand in an element or, quoted, in an attribute."""
    return escape_text(str(value), {'"': "&quot;"})


class _Reader:
    def __init__(self, path: Path, tag: str) -> None:
        self._path, self._tag = path, tag
        self._depth = self._pieces = 0
        self._inside = 0
        self._line = 0
        self._builder: TreeBuilder | None = None
        self._ready: list[tuple[int, Element]] = []
        parser = self.parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data

    def taken(self) -> list[tuple[int, Element]]:
        ready, self._ready = self._ready, []
        return ready

    def _refuse(self, *_: Any) -> int:
        line = self.parser.CurrentLineNumber
        raise UnreadableFile(self._path, f"line {line}: it has a document type or an entity, which are not accepted")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name, attributes = _qualified(name), {_qualified(key): value for key, value in attributes.items()}
        self._depth += 1
        if self._depth > DEPTH_MOST:
            line = self.parser.CurrentLineNumber
            raise UnreadableFile(self._path, f"line {line}: elements nest more than {DEPTH_MOST} deep")
        if self._depth == 1:
            self._ready.append((self.parser.CurrentLineNumber, Element(name, attributes)))
        if self._builder is None and name == self._tag:
            self._builder, self._inside, self._pieces = TreeBuilder(), self._depth, 0
            self._line = self.parser.CurrentLineNumber
        if self._builder is not None:
            self._count(1)
            self._builder.start(name, attributes)

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(_qualified(name))
            if self._depth == self._inside:
                self._ready.append((self._line, self._builder.close()))
                self._builder = None
        self._depth -= 1

    def _data(self, data: str) -> None:
        if self._builder is not None:
            self._count(1 + len(data) // 64)
            self._builder.data(data)

    def _count(self, pieces: int) -> None:
        self._pieces += pieces
        if self._pieces > RECORD_MOST:
            raise UnreadableFile(self._path, f"line {self._line}: the record has more than {RECORD_MOST} parts")


def _qualified(name: str) -> str:
    return f"{{{name}" if "}" in name else name
