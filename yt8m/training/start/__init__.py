"""What a run does and says before its first step."""
