"""What the JSON documents of rights share: members taken one by one, parties told in full, and the paper.

A party is its uid, or where the register does not know it yet `{"uid", "kind", "name", "id_no"}`; a group may name its
`members`, each with a share in what the group holds or none with any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from gis.errors import BadInput, UnreadableFile
from gis.land.rights import Group, Member, PartyKind, parse_share
from gis.land.sources import SignatureStatus, SourceDocument

MAX_BYTES = 2**20
MAX_PARTS = 1000
"""More parties than this are a mistake."""
MAX_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class NewParty:
    """A party that the register is to know, with its identity number."""

    uid: str
    kind: PartyKind
    name: str
    id_no: str | None
    group: Group | None = None
    """The members of a group, where they are told."""


def read_json(path: Path) -> object:
    """What a file of JSON holds.

    Raises:
        UnreadableFile: there is no such file, it is too large, or it is no JSON.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFile(path, f"it is larger than {MAX_BYTES // 2**20} MB")
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    except orjson.JSONDecodeError as error:
        raise UnreadableFile(path, f"it is not JSON ({error})") from error


def party_of(given: object, parties: dict[str, NewParty]) -> str:
    """The uid of a party; one told in full is added to the new ones.

    Raises:
        BadInput: a member is missing, not known, or of another kind, or the party is told twice, differently.
    """
    if isinstance(given, str) and _is_text(given):
        return given
    fields = Fields(given, "party")
    kind = fields.text("kind")
    if kind not in set(PartyKind):
        raise BadInput(f"party kind {kind[:40]!r}: there are {', '.join(PartyKind)}")
    uid, name = fields.text("uid"), fields.text("name")
    id_no = fields.text("id_no") if fields.has("id_no") else None
    group = None
    if kind == PartyKind.GROUP and fields.has("members"):
        group = _group(uid, fields.objects("members"), parties)
    fields.nothing_left()
    new = NewParty(uid, PartyKind(kind), name, id_no, group)
    if parties.setdefault(uid, new) != new:
        raise BadInput(f"party {uid}: it is told twice, differently")
    return uid


def _group(uid: str, listed: list[object], parties: dict[str, NewParty]) -> Group:
    members = []
    for place, one in enumerate(listed, start=1):
        fields = Fields(one, f"members[{place}] of {uid}")
        share = parse_share(fields.text("share")) if fields.has("share") else None
        members.append(Member(party_of(fields.take("party"), parties), share))
        fields.nothing_left()
    # In the order in which the register tells them.
    group = Group(uid, tuple(sorted(members, key=lambda member: member.party)))
    group.check()
    return group


def source_of(given: object) -> SourceDocument:
    """The paper that a document tells.

    Raises:
        BadInput: a member is missing, not known, or of another kind.
    """
    fields = Fields(given, "source")
    found = SourceDocument(fields.text("uid"), fields.text("kind"))
    for name in ("number", "sha256", "signed_by"):
        if fields.has(name):
            found = replace(found, **{name: fields.text(name)})  # type: ignore[arg-type]
    if fields.has("date"):
        found = replace(found, date=fields.day("date"))
    if fields.has("signature_status"):
        status = fields.text("signature_status")
        if status not in set(SignatureStatus):
            raise BadInput(f"signature_status {status[:40]!r}: there are {', '.join(SignatureStatus)}")
        found = replace(found, signature_status=SignatureStatus(status))
    fields.nothing_left()
    found.check()
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= MAX_CHARACTERS and "\x00" not in value


class Fields:
    """An object's members, taken one by one; what is left at the end is a mistake.

    All raise BadInput, which names the object and the member.
    """

    def __init__(self, given: object, where: str) -> None:
        if not isinstance(given, Mapping):
            raise BadInput(f"{where}: an object with named members is needed")
        self._left: dict[str, Any] = {str(name): value for name, value in given.items() if value is not None}
        self._where = where

    def has(self, name: str) -> bool:
        """Whether there is a member of that name that has a value."""
        return name in self._left

    def take(self, name: str) -> object:
        """A member, of any kind; it is not left any more."""
        if name not in self._left:
            raise BadInput(f"{self._where}: {name} is missing")
        return self._left.pop(name)

    def text(self, name: str) -> str:
        """A text of 1 to 500 characters, without blanks around it."""
        value = self.take(name)
        if not _is_text(value):
            raise BadInput(f"{self._where}: {name} is a text of 1 to {MAX_CHARACTERS} characters")
        return str(value).strip()

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > MAX_PARTS or not all(map(_is_text, value)):
            raise BadInput(f"{self._where}: {name} is a list of at most {MAX_PARTS} texts")
        return list(value)

    def objects(self, name: str) -> list[object]:
        """A list of at least one."""
        value = self.take(name)
        if not isinstance(value, list) or not 0 < len(value) <= MAX_PARTS:
            raise BadInput(f"{self._where}: {name}: give a list of 1 to {MAX_PARTS}")
        return list(value)

    def day(self, name: str) -> date:
        """A day, written as 2026-03-02."""
        value = self.text(name)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise BadInput(f"{self._where}: {name} {value[:40]!r} is no day; write 2026-03-02") from None

    def whole(self, name: str) -> int | None:
        """A whole number from 0 on; None when it is not told."""
        if not self.has(name):
            return None
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise BadInput(f"{self._where}: {name} is a whole number from 0 on")
        return value

    def nothing_left(self) -> None:
        """Refuse members that nobody took."""
        if self._left:
            raise BadInput(f"{self._where}: {min(self._left)} is not known here")
