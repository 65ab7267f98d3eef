"""What the loops are called with, as text.

`int32`, `float32[2C]`, `(int64,float64)`, `lidar.cells:Cells(int32[1C],…)`, and a constant as `int=3`.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numba

types: Any = numba.types
"""Without annotations of its own."""
ARRAY = re.compile(r"(?P<dtype>\w+)\[(?P<ndim>\d)(?P<layout>[ACF])(?P<fixed>!?)\]$")
"""Element, dimensions, layout, and whether it must not be written to."""


class Called(NamedTuple):
    """A loop and the types of its arguments."""

    module: str
    name: str
    arguments: tuple[Any, ...]

    def line(self) -> str:
        """As it is listed.

        Raises:
            ValueError: a type has no text here.
        """
        return f"{self.module} {self.name} {' '.join(map(written, self.arguments))}".rstrip()


def called(line: str) -> Called:
    """What a line of the list says.

    Raises:
        ValueError: it names a type there is not.
    """
    module, name, *arguments = line.split(" ")
    return Called(module, name, tuple(map(read, arguments)))


def written(one: Any) -> str:
    """A type as text.

    Raises:
        ValueError: it is of a kind no loop is called with.
    """
    if isinstance(one, types.Literal):
        return f"{type(one.literal_value).__name__}={one.literal_value!r}"
    if isinstance(one, (types.Integer, types.Float, types.Boolean)):
        return str(one)
    if isinstance(one, types.Array) and one.aligned:
        return f"{written(one.dtype)}[{one.ndim}{one.layout}{'' if one.mutable else '!'}]"
    if isinstance(one, types.BaseNamedTuple):
        kind = one.instance_class
        return f"{kind.__module__}:{kind.__qualname__}({','.join(map(written, one))})"
    if isinstance(one, types.BaseTuple):
        return f"({','.join(map(written, one))})"
    raise ValueError(f"no text for {one!r}")


def read(text: str) -> Any:
    """The type a text stands for.

    Raises:
        ValueError: there is none.
    """
    if text.endswith(")"):
        head, _, inner = text.partition("(")
        parts = [read(part) for part in _parts(inner[:-1])]
        if not head:
            return types.BaseTuple.from_types(parts)
        module, _, name = head.partition(":")
        return types.BaseTuple.from_types(parts, getattr(importlib.import_module(module), name))
    if (array := ARRAY.match(text)) is not None:
        element = read(array["dtype"])
        return types.Array(element, int(array["ndim"]), array["layout"], readonly=bool(array["fixed"]))
    if "=" in text:
        return types.literal(ast.literal_eval(text.partition("=")[2]))
    one = getattr(types, "boolean" if text == "bool" else text, None)
    if not isinstance(one, types.Type):
        raise ValueError(f"no type {text}")
    return one


def _parts(text: str) -> Iterator[str]:
    """What commas outside brackets part."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if text:
        yield text[start:]
