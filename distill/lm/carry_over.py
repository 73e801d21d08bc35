"""Character embeddings that begin as those of a language model, whatever its tokens and its width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distill.lm.folder import FinetunedLM
from distill.models.student import Student
from runtime.tokenizer import FIRST_CHARACTER_ID, CharTokenizer


def character_vectors(finetuned: FinetunedLM, tokenizer: CharTokenizer) -> Tensor:
    """Return the teacher's vectors ``[characters, d]`` of the student's characters, without the reserved ids.

    A character has the mean of the vectors of its pieces in the teacher's own tokenisation. The mean of
    all is 0 and their standard deviation 1, so that one loss weight serves every teacher.
    """
    embeddings = finetuned.teacher.embeddings.detach().float().cpu()
    pieces = [finetuned.tokenizer.pieces(character) for character in tokenizer.characters]
    vectors = torch.stack([embeddings[ids].mean(0) if ids else embeddings.mean(0) for ids in pieces])
    centred = vectors - vectors.mean(0)
    return centred / centred.std().clamp_min(1e-6)


@torch.no_grad()
def carry_over(student: Student, vectors: Tensor) -> None:
    """Set the character embeddings to the principal components of ``vectors``, at their present size.

    Where the student is wider than there are components, the rest stays as it is.
    """
    weight = student.characters.weight[FIRST_CHARACTER_ID:]
    left, scale, _ = torch.linalg.svd(vectors, full_matrices=False)
    components = (left * scale)[:, : weight.shape[1]]
    weight[:, : components.shape[1]] = components * (weight.std() / components.std()).to(components)


@torch.no_grad()
def fit(projection: nn.Linear, student: Student, vectors: Tensor) -> None:
    """Set ``projection`` to the least-squares map from the student's character embeddings to ``vectors``."""
    own = student.characters.weight[FIRST_CHARACTER_ID:].cpu()
    projection.weight.copy_(torch.linalg.lstsq(own, vectors, driver="gelsd").solution.T)
    projection.bias.zero_()
