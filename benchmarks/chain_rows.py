"""Rows of the language-model chain in the tables of accuracy."""

LM_ROW = "language model, fine-tuned"
TOGETHER_ROW = "the same and a run of the full method, one vote each"
PLAIN_ROW = "student of both, no made texts"
STUDENT_ROW = "student of both"
INT8_ROW = "student of both, INT8 bundle"
