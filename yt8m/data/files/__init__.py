"""Shards and their serialised records: finding, counting, reading and checking them."""
