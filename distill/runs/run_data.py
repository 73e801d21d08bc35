"""Reading the data of a run, with a summary for the user before training begins."""

from __future__ import annotations

import logging

from distill.config.sections import DataConfig
from distill.data.corpus import Corpus, read_corpus
from distill.data.summary import summary
from distill.runs.run_folder import RunFolder

_LOG = logging.getLogger(__name__)


def read_data(run: RunFolder, config: DataConfig, seed: int) -> Corpus:
    """Read what a run learns from; log a :func:`summary`, and write the rows left out into the run folder.

    Args:
        run: its folder, claimed.
        config: see :func:`distill.data.corpus.read_corpus`.
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
