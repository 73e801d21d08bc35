"""Train: teachers, students and the recipes by which they learn from each other."""
