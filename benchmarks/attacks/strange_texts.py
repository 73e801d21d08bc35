"""Random strings of every sort that a str can be."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from random import Random

from benchmarks.contenders.texts import example_rows

_LAST = 0x10FFFF
_MARKS = [chr(code) for code in range(0x3000) if unicodedata.combining(chr(code))]
_FORMAT = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zs", "Zl", "Zp")]
# Letters whose lower case, composition or compatibility form has another length.
_GROWING = ["\u0130", "\ufdfa", "\ufb03", "\u1e9e", "\u0390", "\u1f80", "\u3300", "\u2126", "\uac00", "\u1100\u1161"]
_LONG = 300
# Most texts are short, so that there can be many; one of a thousand is long.
_MOST_PIECES = 12

Sort = Callable[[Random], str]


def strange_texts(count: int, random: Random) -> Iterator[str]:
    """Yield ``count`` strings: any code points, lone surrogates, marks, controls, emoji, edited titles, long ones."""
    titles, _ = example_rows()
    sorts: list[Sort] = [
        _any_code_points,
        lambda random: _of(random, lambda: chr(random.randint(0xD800, 0xDFFF))),
        lambda random: _of(
            random, lambda: random.choice("aé钠") + random.choice(_MARKS) * random.choice([0, 1, 2, 3, 150])
        ),
        lambda random: _of(random, lambda: random.choice(_FORMAT) + random.choice("ab ")),
        lambda random: _of(random, lambda: random.choice(_GROWING)),
        lambda random: _of(random, lambda: chr(random.randint(0x1F300, 0x1FAFF)) + random.choice(["", "\u200d"])),
        lambda random: random.randbytes(random.randint(0, 30)).decode("utf-8", "surrogateescape"),
        lambda random: random.randbytes(random.randint(0, 30)).decode("latin-1"),
        lambda random: _edited(random.choice(titles), random),
        lambda random: random.choice(titles) * random.choice([1, 1, 1, 8]),
    ]
    for number in range(count):
        text = sorts[number % len(sorts)](random)
        yield text if random.random() < 0.999 else (text or " ") * _LONG


def _any_code_points(random: Random) -> str:
    highest = random.choice([0x7F, 0xFF, 0x9FFF, 0xFFFF, _LAST])
    return _of(random, lambda: chr(random.randint(0, highest)))


def _of(random: Random, piece: Callable[[], str]) -> str:
    return "".join(piece() for _ in range(random.randint(0, _MOST_PIECES)))


def _edited(text: str, random: Random) -> str:
    for _ in range(random.randint(0, 3)):
        at = random.randrange(len(text) + 1)
        text = text[:at] + chr(random.randint(0, _LAST)) + text[at + random.randint(0, 2) :]
    return text
