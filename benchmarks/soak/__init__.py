"""Random kills over every command that writes, each followed by the same command.

`python -m benchmarks.soak` starts a command, kills it (SIGKILL) at a random moment, or just before
a random one of its calls that change a file, and gives the same command again, until it ends. What
it has written is then compared with what an undisturbed run has written.
"""
