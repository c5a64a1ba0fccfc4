"""A file per command. Each reads its arguments, calls one function, prints, and picks the exit code.

Imports of what does the work wait inside the commands, so that --help is quick.
"""
