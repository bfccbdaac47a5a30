"""Parsing, checking, sampling and writing records of each kind."""
