"""How what was read and what was run become one word (DESIGN section 2).

An observed violation stands. A predicted one that the run does not show is undetermined, with both timelines.
A clean run settles an undetermined only under the conditions of settle.py.
"""

from golf_audit.joining.join import joined
from golf_audit.joining.numbers import adapts

__all__ = ["adapts", "joined"]
