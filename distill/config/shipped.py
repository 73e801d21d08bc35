"""The recipe files that come with the package: ``python -m distill.config.shipped`` writes them anew.

To be run after a key, its default or its description has changed; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping

from distill.config.gate_mixup import GateMixupRecipe
from distill.config.language_model import FinetuneRecipe, LayersRecipe
from distill.config.multi_teacher import MultiTeacherRecipe
from distill.config.pretraining import PretrainRecipe
from distill.config.recipe import SHIPPED_RECIPES, BaseRecipe
from runtime.files import write_text

_GATE_MIXUP = """\
# Gate-Mixup mutual distillation with every key at its default. Written by distill/config/shipped.py.
#
#   gm-distill run distill/recipes/gate_mixup.toml --data texts.csv --out run
#   gm-distill run distill/recipes/gate_mixup.toml --data texts.csv --set ablate.gate=true --out run-without-gate
#   gm-distill evaluate run
#   gm-export --int8 run --out bundle

"""

_FINETUNE = """\
# Fine-tuning of a language model on labels, every key at its default. Written by distill/config/shipped.py.
#
#   gm-distill finetune --lm multilingual-e5-small --data texts.csv --out teacher
#   gm-distill finetune my-finetune.toml --set training.lr=5e-5 --out teacher
#
# Once more, from finished teachers and texts without labels:
#
#   gm-distill run --data texts.csv --out mutual
#   gm-distill finetune --lm multilingual-e5-small --teacher teacher --teacher mutual --unlabelled names.txt \\
#       --data texts.csv --set training.epochs=3 --out second
#
# Relative paths in a file of your own count from its folder. Give teachers and language model the same [imbalance].

"""

_LAYERS = """\
# A student of a language model's layers, every key at its default. Written by distill/config/shipped.py.
#
#   gm-distill finetune --lm multilingual-e5-small --data texts.csv --out teacher
#   gm-distill run lm_layers --data texts.csv --set lm_layers.teacher=teacher --out run
#   gm-distill run lm_layers --data texts.csv --set lm_layers.teacher=teacher --unlabelled names.txt --out run
#   gm-export --int8 run --out bundle
#
# Relative paths in a file of your own count from its folder. Give teacher and student the same [imbalance]: the
# student copies how much its teacher favours rare classes.

"""

_MULTI_TEACHER = """\
# One student, several finished teachers, every key at its default. Written by distill/config/shipped.py.
#
#   gm-distill finetune --lm multilingual-e5-small --data texts.csv --out teacher
#   gm-distill run --data texts.csv --out mutual
#   gm-distill run --teacher teacher --teacher mutual --unlabelled names.txt --data texts.csv --out run
#   gm-export --int8 run --out bundle
#
# Relative paths in a file of your own count from its folder. Give teachers and student the same [imbalance]. The
# student knows the characters of all words that are made: an unknown text shows less by unknown characters.

"""

_PRETRAIN = """\
# Pretraining of a masked language model with every key at its default. Written by distill/config/shipped.py.
#
#   gm-distill corpus names.txt abstracts.jsonl.gz --out clean
#   gm-distill pretrain clean --recipe distill/recipes/pretrain.toml --out lm
#   gm-distill pretrain clean --from some-bert --set training.lr=1e-4 --set training.epochs=3 --out lm
#   gm-distill pretrain --out lm --resume

"""

HEADERS: Mapping[type[BaseRecipe], str] = {
    GateMixupRecipe: _GATE_MIXUP,
    FinetuneRecipe: _FINETUNE,
    LayersRecipe: _LAYERS,
    MultiTeacherRecipe: _MULTI_TEACHER,
    PretrainRecipe: _PRETRAIN,
}
"""What stands above the keys of each method: the commands that use its file."""


def shipped_recipe(kind: type[BaseRecipe]) -> str:
    """Return the text of the file of a method: every key at its default, under the commands that use it."""
    return HEADERS[kind] + kind().to_toml()


if __name__ == "__main__":
    for method in HEADERS:
        write_text(SHIPPED_RECIPES / f"{method.method()}.toml", shipped_recipe(method))
