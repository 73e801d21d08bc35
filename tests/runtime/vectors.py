"""Test vectors of normaliser and tokeniser, for implementations in other languages.

``python -m tests.runtime.vectors`` writes them to ``docs/tokenizer_vectors.json``.
"""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

from runtime.files import write_text
from runtime.text import normalise
from runtime.tokenizer import CharTokenizer

PATH = Path(__file__).parents[2] / "docs" / "tokenizer_vectors.json"
_MAX_LEN = 16
_LETTERS = "äéñøßçåµσςодкириетанщёчь聚丙烯酰胺阴离子絮凝剂氢氧化钠盐酸硫工业级片碱醇乙水溶液가나다"
_VOCABULARY = "".join(dict.fromkeys([*map(chr, range(0x20, 0x7F)), *_LETTERS]))
_ALIASES = {"【": "(", "】": ")", "、": ",", "–": "-", "·": "."}
# One for each rule of the specification, and for what an implementation is most likely to get wrong.
_CHOSEN = (
    "",
    "   ",
    "abc",
    "Caustic SODA 99 %",
    "  two   blanks\t\ttabs\r\nlines ",
    "盐酸",
    "ＨＣｌ　３１％",  # full-width letters, digits and blank
    "①②㎏㎎㍑",  # compatibility characters that become several
    "ﬁﬂ ﬀ",
    "x²+y³ H₂SO₄",
    "Å Å Å",  # U+212B, U+00C5, A + ring
    "e\u0301 é",
    "가 \u1100\u1161",  # Hangul, composed and not
    "İstanbul ISPARTA ıI",  # lower-casing U+0130 leaves a combining dot
    "ΟΔΟΣ ΣΑΣ Σ ΑΣ.",  # sigma at the end of a word and elsewhere
    "STRASSE ẞß",
    "ǅ ǈ",  # title case
    "a\u00adb\u200bc\u200dd\ufeffe\u2060f",  # format characters vanish
    "a\x00b\x07c\x1bd\x7fe",  # control characters too
    "a\x1cb\x1fc\x85d\u00a0e\u1680f\u2007g\u2028h\u2029i\u202fj\u205fk\u3000l",  # white space of all kinds
    "e\u200b\u0301",  # what vanishes lets marks compose
    "a" + "\u0301" * 130 + "b",  # of a run of marks 128 stay, and one of them composes
    "\u0301" * 400,
    "q" + "\u0323\u0307" * 100,
    "😀 emoji 𝐀𝟙 𠮷",  # astral: two code units each, unless NFKC brings them back
    "👨\u200d👩\u200d👧",
    "サﾞｶﾞ ﾊﾟ",  # half-width kana with marks of their own
    "漢字 漢字",
    "①".join("abcdefgh"),
    "0123456789abcdef",  # as long as the limit
    "0123456789abcdefg",  # one longer
    "0123456789abcdef盐酸硫酸0123",
    "盐酸" * 40,
    "Ж" * 40,
    "ﷺ",  # one character that becomes eighteen
    "½ ⅓ ‰ ℃ №",
    "…‥ “quotes” – — −",
    "硫酸【９８％】、盐酸",  # marks read as others of the vocabulary
    "乙醇·水〔95–99 %〕",  # and one that is not
    "العربية עברית ไทย हिन्दी",
    "\u1e9b\u0323",
    "ͅΑ ᾳ ᾼ",
    "ｶ" + "\uff9e" * 130 + "b",  # these are of class 0, and become marks: they count in a run
    "ﾊ" + "\u0301\uff9f" * 100,
    "ཀ" + "\u0f73\u0f75\u0f81" * 50 + "b",
    "\u0f73" * 100,  # no long run yet, but one of what it becomes
    "ｶﾞ" * 100,
)
_RANDOM = 400


def make_vectors() -> str:
    """Return the content of the file, the same on every version of Python."""
    tokenizer = CharTokenizer(_VOCABULARY, _MAX_LEN, _ALIASES)
    stored = {"kind": tokenizer.kind, "max_len": _MAX_LEN, "characters": _VOCABULARY, "aliases": _ALIASES}
    vectors = [json.dumps(_vector(tokenizer, text)) for text in (*_CHOSEN, *_random_texts())]
    lines = ",\n".join(vectors)
    return f'{{"tokenizer": {json.dumps(stored)},\n"vectors": [\n{lines}\n]}}\n'


def _vector(tokenizer: CharTokenizer, text: str) -> dict[str, Any]:
    encoding = tokenizer.encode(text)
    normal = normalise(text)
    units = len(normal.encode("utf-16-le")) // 2
    return {
        "text": text,
        "normalised": normal,
        "ids": encoding.ids.tolist(),
        "unknown": round(encoding.unknown * units),
        "units": units,
        "truncated": encoding.truncated,
    }


def _random_texts() -> list[str]:
    generator = random.Random(0)
    # What an old Unicode has, every later one treats alike.
    codes = [code for code in range(0x30000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs", "Co")]
    return ["".join(chr(generator.choice(codes)) for _ in range(generator.randint(1, 24))) for _ in range(_RANDOM)]


if __name__ == "__main__":
    write_text(PATH, make_vectors())
