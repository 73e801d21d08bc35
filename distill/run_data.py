"""The data of a run: read, and shown to people before it learns from them."""

from __future__ import annotations

import logging

from distill.corpus import Corpus, read_corpus
from distill.recipe import DataConfig
from distill.run_folder import RunFolder
from distill.summary import summary

_LOG = logging.getLogger(__name__)


def read_data(run: RunFolder, config: DataConfig, seed: int) -> Corpus:
    """Read what a run learns from, and show people what that is before the run does.

    The rows that are left out are written into the run folder; a :func:`summary` is logged.

    Args:
        run: its folder, claimed.
        config: see :func:`distill.corpus.read_corpus`.
        seed: of the split.

    Raises:
        DataError: no such data, a file is not as it should be, there is nothing to learn from it, or the run folder
            cannot be written.
        ConfigError: an encoding or a share that does not work, or a missing package.
    """
    corpus = read_corpus(config, seed)
    run.save_left_out(corpus.left_out)
    _LOG.info("%s", summary(corpus, run.left_out))
    return corpus
