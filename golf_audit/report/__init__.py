"""A Report in the words of its reader: terminal, JSON, Markdown, SARIF, GitHub, and single pages.

Nothing here judges. Every string that may come from a submission passes escape.py on its way out.
"""
