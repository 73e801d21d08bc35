"""Fuzzing guided by coverage: an input that takes the code to a new place becomes the parent of others.

The idea of AFL (Zalewski, 2013) in the small: pure Python, for code whose inputs are files of some kilobytes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from types import FrameType
from typing import Any

from runtime.errors import GMError

Edge = tuple[str, int, int]
"""File, line come from, line come to."""
Target = Callable[[bytes], None]
"""Takes an input; raises a GMError to refuse it, anything else is a find."""
_MOST_EDITS = 4
_MOST_FINDS = 20
_LONGEST_PIECE = 64
# Numbers at the edge of their type, and what JSON and archives are made of.
_TOKENS = (
    *(b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"),
    *(b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"-1", b"null", b"true"),
    *(b"../", b"/", b"\\", b"\n", b"9" * 30),
)


@dataclass(slots=True)
class Findings:
    """What a fuzzing run saw.

    Attributes:
        outcomes: inputs by outcome: ``accepted`` or the name of the error that refused them.
        edges: places reached.
        parents: inputs that reached a new place, the first ones included.
        finds: what was raised that should not have been, with the input that did it, in hexadecimal digits.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    edges: set[Edge] = field(default_factory=set)
    parents: list[bytes] = field(default_factory=list)
    finds: list[dict[str, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Return counts and finds as JSON values."""
        return {
            "inputs": self.outcomes.total(),
            "outcomes": dict(self.outcomes.most_common()),
            "edges": len(self.edges),
            "parents": len(self.parents),
            "finds": self.finds,
        }


def fuzz(target: Target, first: Sequence[bytes], files: Collection[str], rounds: int, random: Random) -> Findings:
    """Give ``target`` mutants of its inputs.

    Args:
        target: what is to stand them.
        first: inputs to start from.
        files: paths of the modules whose coverage guides the choice.
        rounds: mutants to make, at most; it ends after 20 finds.
        random: source of chance.
    """
    found = Findings()
    for parent in first:
        _try(target, parent, files, found)
    for _ in range(rounds):
        _try(target, mutated(random.choice(found.parents), random), files, found)
        if len(found.finds) >= _MOST_FINDS:
            break
    return found


def mutated(content: bytes, random: Random) -> bytes:
    """Return ``content`` after one to four edits: bits flipped, tokens written over or put in, pieces cut or copied."""
    for _ in range(random.randint(1, _MOST_EDITS)):
        at = random.randrange(len(content) + 1)
        length = random.randint(1, _LONGEST_PIECE)
        head, tail = content[:at], content[at:]
        match random.randrange(6):
            case 0 if tail:
                content = head + bytes([tail[0] ^ 1 << random.randrange(8)]) + tail[1:]
            case 1:
                token = random.choice(_TOKENS)
                content = head + token + tail[len(token) :]
            case 2:
                content = head + random.choice(_TOKENS) + tail
            case 3:
                content = head + tail[length:]
            case 4:
                start = random.randrange(len(content) + 1)
                content = head + content[start : start + length] + tail
            case _:
                content = head + random.randbytes(min(length, 8)) + tail[min(length, 8) :]
    return content


def _try(target: Target, content: bytes, files: Collection[str], found: Findings) -> None:
    outcome = "accepted"
    edges: set[Edge] = set()
    before = sys.gettrace()
    sys.settrace(_tracer(files, edges))
    try:
        target(content)
    except GMError as error:
        outcome = type(error).__name__
        if "\n" in str(error):
            found.finds.append({"raised": repr(error), "input": content.hex()})
    except Exception as error:  # whatever it is, it is what we are looking for
        outcome = f"find: {type(error).__name__}"
        found.finds.append({"raised": repr(error), "input": content.hex()})
    finally:
        sys.settrace(before)
    found.outcomes[outcome] += 1
    if not edges <= found.edges or not found.parents:
        found.edges |= edges
        found.parents.append(content)


def _tracer(files: Collection[str], edges: set[Edge]) -> Callable[[FrameType, str, Any], Any]:
    last: dict[FrameType, int] = {}

    def line(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - as sys.settrace has it
        if event == "line":
            edges.add((frame.f_code.co_filename, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        return line

    def call(frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401
        return line if frame.f_code.co_filename in files else None

    return call
