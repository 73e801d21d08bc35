"""Keys of all recipes that learn from finished teachers: which these are, and which texts they label."""

from __future__ import annotations

from pydantic import Field

from distill.config.file_names import FileNames
from distill.config.recipe import Section, Share


class AskedConfig(Section):
    """Who teaches, and about which texts."""

    folders: FileNames = Field(
        (),
        description="Finished folders of the same data that teach, as 'gm-distill finetune' and 'gm-distill run' write "
        "them; needed. Each has one vote; of a gate_mixup run graph network and student share it.",
    )
    dictionary_words: int = Field(
        60_000,
        ge=0,
        description="Words of jieba's dictionary that the teachers label; 0 where texts are not Chinese: none of them "
        "then replaces another either.",
    )
    replaced_words: int = Field(
        80_000,
        ge=0,
        description="Texts with one word replaced that the teachers label: texts of train and without labels, of at "
        "most 40 characters.",
    )
    distill_weight: Share = Field(
        0.5, description="Weight a of the teachers' answers about labelled texts; the labels weigh 1 - a."
    )
