"""Files before anyone parses them: shards, record boundaries, counts, and what is broken."""
