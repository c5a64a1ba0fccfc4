"""One canonical name per setting, whichever of its spellings a log, a command or the code uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from golf_audit.runconfig.model import Knob


@dataclass
class Names:
    """Spelling -> canonical name: the variable where the code reads one, else the attribute.

    Spellings that the code does not have join each other without regard to case (`ttt_lr`, `TTT_LR`),
    except attributes that hold something computed from their variable."""

    aliases: dict[str, str] = field(default_factory=dict)
    _derived: set[str] = field(default_factory=set)
    _folded: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, knobs: Iterable[Knob], derived: Iterable[str]) -> Names:
        """The names that the code gives; `knobs` in order of precedence."""
        names = cls()
        ordered = sorted(knobs, key=lambda knob: knob.env is None)
        for knob in ordered:
            if knob.env is not None:
                names.aliases[knob.env] = knob.env
        for knob in ordered:
            names._learn(knob)
        names._derived = {path.rsplit(".", 1)[-1] for path in derived} - set(names.aliases)
        return names

    def _learn(self, knob: Knob) -> None:
        name = self.of_knob(knob)
        for spelling in (*knob.attributes, *knob.flags, *(a.rsplit(".", 1)[-1] for a in knob.attributes)):
            self.aliases.setdefault(spelling, name)
        self._folded.setdefault(name.lower(), name)

    def of_knob(self, knob: Knob) -> str:
        """The canonical name of a knob; a constant beside a variable of the same name keeps its class."""
        if knob.env is not None:
            return knob.env
        bare = knob.attributes[0].rsplit(".", 1)[-1]
        return knob.attributes[0] if self.aliases.get(bare, bare) != bare else bare

    def knows(self, spelling: str) -> bool:
        """True for a name of the code, and for one met before under any case."""
        return spelling in self.aliases or spelling in self._derived or spelling.lower() in self._folded

    def canonical(self, spelling: str) -> str:
        """The one name of a spelling met in a log, a command or submission.json."""
        if spelling in self.aliases:
            return self.aliases[spelling]
        bare = spelling.lstrip("-").replace("-", "_") if spelling.startswith("-") else spelling
        name = self.aliases.get(bare) or (bare if bare in self._derived else None)
        if name is None:
            name = self._folded.setdefault(bare.lower(), bare)
        self.aliases[spelling] = name
        return name
