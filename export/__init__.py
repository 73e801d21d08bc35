"""Export: a trained student becomes an INT8 bundle that is proved to decide the same."""
