"""Classifying a folder of tables, shard by shard, on one machine or on several."""
