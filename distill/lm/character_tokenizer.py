"""A tokeniser whose tokens are characters, as a file that ``AutoTokenizer`` of transformers loads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

_SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def train_character_tokenizer(texts: Iterable[str], most: int, min_count: int, max_len: int) -> Any:  # noqa: ANN401 - transformers has no types
    """Return a fast tokeniser of transformers that knows the most frequent characters of ``texts``.

    It folds what it reads as :func:`runtime.text.normalise` does in all that Chinese and Latin text needs:
    NFKC, lower case, one blank for white space.

    Args:
        texts: normalised texts; they are read once.
        most: most characters it knows.
        min_count: characters rarer than this are unknown.
        max_len: longest sequence of the model that it is for.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    # By frequency, then by code point: the same texts give the same ids.
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    known = [character for character in ranked if counts[character] >= min_count][:most]
    ids = {token: number for number, token in enumerate([*_SPECIAL.values(), *known])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=_SPECIAL["unk_token"]))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    marks = [_SPECIAL["cls_token"], _SPECIAL["sep_token"]]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[(mark, ids[mark]) for mark in marks]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=max_len, clean_up_tokenization_spaces=False, **_SPECIAL
    )
