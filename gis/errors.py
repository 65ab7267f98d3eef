"""The family of errors: one root, small children that carry facts and build their sentence from them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any


class DiabaError(Exception):
    """Whatever diaba raises on purpose. Its text is one line that a person can act on."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by facts and text, so that an error raised in a worker process arrives as itself."""
        return _revived, (type(self), self.args, self.__dict__)


def _revived(kind: type[DiabaError], arguments: tuple[Any, ...], facts: dict[str, Any]) -> DiabaError:
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(facts)
    return error


class BadInput(DiabaError, ValueError):
    """Something given to diaba cannot be used: what, where and why."""


class UnreadableFile(BadInput):
    """A file is missing, truncated, damaged or of another kind than its name says."""

    def __init__(self, path: Path | str, why: str) -> None:
        self.path, self.why = str(path), why
        super().__init__(f"{path}: {why}")


class MissingCrs(BadInput):
    """A file does not say its coordinate reference system and none was given."""

    def __init__(self, path: Path | str, hint: str = "") -> None:
        self.path, self.hint = str(path), hint
        question = "which coordinate reference system is it in? Say so with --crs, for example --crs EPSG:9210"
        super().__init__(f"{path}: the file does not say its CRS; {question}{'. ' + hint if hint else ''}")


class BadCrs(BadInput):
    """A coordinate reference system is unknown, not projected in metres where it must be, or not the expected one."""


class BadGeometry(BadInput):
    """A geometry cannot be used; the record it belongs to is named."""

    def __init__(self, record: str, why: str) -> None:
        self.record, self.why = record, why
        super().__init__(f"{record}: {why}")


class BadParameter(BadInput):
    """A parameter is outside of what makes sense."""

    def __init__(self, name: str, value: object, why: str) -> None:
        self.name, self.value, self.why = name, value, why
        super().__init__(f"{name}={value!r}: {why}")


class MissingProgram(DiabaError):
    """A program diaba calls is not installed; the text says how to get it."""

    def __init__(self, program: str, how: str) -> None:
        self.program = program
        super().__init__(f"the program {program} is not installed: {how}")


class ProgramFailed(DiabaError):
    """A program diaba called ended with an error."""

    def __init__(self, program: str, why: str) -> None:
        self.program, self.why = program, why
        super().__init__(f"{program} failed: {why}")


class NotFound(DiabaError, LookupError):
    """Nothing of that name is known."""

    def __init__(self, kind: str, key: str) -> None:
        self.kind, self.key = kind, key
        super().__init__(f"no {kind} {key}")


class Conflict(DiabaError):
    """What was asked contradicts what the register holds now."""


class StaleVersion(Conflict):
    """What is changed is at another version than the one the change was decided upon."""

    def __init__(self, key: str, version: int, expected: int) -> None:
        self.key, self.version, self.expected = key, version, expected
        super().__init__(f"{key} is at version {version} now; look again and decide anew")


class NoEnvelope(Conflict, BadInput):
    """Nothing can be drawn that a building on a lot may fill; `reason` says why in one word, for programs."""

    def __init__(self, reason: str, why: str) -> None:
        self.reason = reason
        super().__init__(f"no envelope: {why}")


class SharesDoNotAddUp(BadInput, Conflict):
    """The shares of a right in a unit do not add up to one on some days."""

    def __init__(self, unit: str, kind: str, start: date | None, end: date | None, total: Fraction) -> None:
        self.unit, self.kind, self.start, self.end, self.total = unit, kind, start, end, total
        period = f"from {start or 'the beginning'} {f'to {end}' if end else 'on'}"
        super().__init__(f"unit {unit}: the shares of {kind} add up to {total}, not to 1, {period}")


class StoreUnreachable(DiabaError, ConnectionError):
    """The database does not answer."""

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(f"the database {where} cannot be reached: {why}")


class IdentityClosed(StoreUnreachable):
    """Identity numbers can be neither read nor written: there is no key, it is another's, or a number is damaged."""

    def __init__(self, why: str) -> None:
        self.where, self.why = "identity numbers", why
        DiabaError.__init__(self, f"identity numbers are closed: {why}")
