"""Tables of texts and answers: CSV, TSV, JSON Lines, Excel and Parquet, read and written."""
