"""Several finished teachers and one student: what recipe ``multi_teacher`` needs beside its own file."""
