"""Commands that write pages for people."""
