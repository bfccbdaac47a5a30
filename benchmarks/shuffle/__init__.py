"""How well the input pipeline mixes the records of many shards, and what that costs."""
