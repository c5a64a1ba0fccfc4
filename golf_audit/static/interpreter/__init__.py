"""One abstract run of a program: its parts, each a few methods of the same machine."""
