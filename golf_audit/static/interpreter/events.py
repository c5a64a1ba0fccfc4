"""What happens to tokens: scores, adaptations, reads, choices and mixtures, told once each."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.static.atoms import (
    NONE,
    Atom,
    Blend,
    Cnt,
    Dep,
    Doc,
    Grad,
    Lost,
    Ord,
    Out,
    Own,
    Par,
    Sc,
    Sel,
    Spread,
    Taint,
    Tilt,
    Tok,
    capped,
    union,
)
from golf_audit.static.interpreter.positions import Positions, ahead, alike, consults
from golf_audit.static.places import At
from golf_audit.static.regions import region_of, split_live
from golf_audit.static.values import Root
from golf_audit.timeline import (
    Adapt,
    Attend,
    Calibrate,
    Event,
    Fetch,
    Mix,
    Read,
    Region,
    Reorder,
    Save,
    Score,
    Select,
    Stream,
)


class Events(Positions):
    """Events as they happen, and the parameters that they change."""

    def next_event(self) -> int:
        self._events += 1
        return self._events

    def _common(self, node: ast.AST) -> dict[str, Any]:
        return {
            "id": self.next_event(),
            "where": self.where(node),
            "path": self.calls(),
            "conditions": tuple(self.conditions),
            "loops": self.loop_marks(),
        }

    def token_extents(self, taint: Taint) -> dict[Stream, frozenset[Tok]]:
        """Extents per stream, only with marks of live loops."""
        live = self.live_numbers()
        found: dict[Stream, set[Tok]] = {}
        for atom in taint:
            if isinstance(atom, Tok):
                kept = Tok(atom.stream, split_live(atom.marks, live), atom.cuts)
                found.setdefault(atom.stream, set()).add(kept)
        return {stream: frozenset(extents) for stream, extents in found.items()}

    def score(self, node: ast.AST, logits: Taint, targets: Taint) -> Taint:
        """Losses of targets are computed; the facts of the result."""
        kept = frozenset(a for a in logits | targets if not isinstance(a, (Own, At, Ord, Doc)))
        extents = self.token_extents(targets).get(Stream.VAL)
        if not extents:
            return kept
        state = frozenset(a.event for a in logits if isinstance(a, Dep))
        tables = frozenset(a.event for a in logits if isinstance(a, Cnt))
        gold = self.gold(targets)
        order = frozenset(a.event for a in targets if isinstance(a, Ord))
        model = ", ".join(sorted({self.root_name(a.root) for a in logits if isinstance(a, Out)}))
        key = (
            "score",
            id(node),
            extents,
            state,
            order,
            model,
            tuple(id(c) for _, _, c in self.path),
            self.loop_marks(),
        )
        if key not in self._made:
            event = Score(
                **self._common(node),
                region=region_of(extents),
                model=model,
                state=state,
                table=tables,
                order=order,
                ahead=ahead(logits, gold),
                by_document=any(isinstance(a, Doc) for a in logits | targets),
                renewed=self._renewed(logits),
                consults_target=consults(gold, logits) if tables else False,
            )
            self.events.append(event)
            self.extents[event.id] = extents
            self._made[key] = event.id
        return capped(frozenset(a for a in kept if not isinstance(a, Cnt)) | gold | {Sc(self._made[key])})

    def _renewed(self, logits: Taint) -> frozenset[tuple[str, int, int]]:
        """Parameters that started anew in the round of a live loop, by name, loop and round."""
        numbers = {a.root for a in logits if isinstance(a, Out)}
        live = {(loop.number, loop.iteration) for loop in self.live}
        found = [root.find() for root in self.roots if root.number in numbers]
        return frozenset((root.name, *mark) for root in found for mark in root.renewed & live)

    def adapt(self, node: ast.AST, name: str, facts: Taint, kind: str, *, scratch: bool = False) -> Taint:
        """Something changes as a function of tokens: the Dep facts of the events (one per stream)."""
        made: set[Atom] = set()
        for stream, extents in self.token_extents(facts).items():
            if stream in (Stream.VAL_BYTES, Stream.OTHER):
                continue
            key = (
                "adapt",
                id(node),
                name,
                kind,
                extents,
                tuple(id(c) for _, _, c in self.path),
                self.loop_marks(),
            )
            if key not in self._made:
                region = region_of(extents)
                if kind == "statistic":
                    event: Event = Calibrate(**self._common(node), statistic=name, region=region)
                else:
                    event = Adapt(
                        **self._common(node), parameters=name, region=region, kind=kind, scratch=scratch
                    )
                self.events.append(event)
                self.extents[event.id] = extents
                self._made[key] = event.id
            made.add(Dep(self._made[key]))
        return frozenset(made)

    def read(self, node: ast.AST, stream: Stream, pattern: str) -> None:
        """A token stream is opened here (told once per chain of calls)."""
        key = ("read", id(node), stream, pattern, tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Read(**self._common(node), stream=stream, pattern=pattern)
            self.events.append(event)
            self._made[key] = event.id

    def save(self, node: ast.AST, path: str, facts: Taint) -> None:
        """A file is written: a Save where parameters, or what was derived from them, are in it."""
        if any(isinstance(a, (Own, Out)) for a in facts):
            holds = frozenset(a.event for a in facts if isinstance(a, (Dep, Cnt)))
            self.events.append(Save(**self._common(node), file=path, holds=holds))

    def fetch(self, node: ast.AST, what: str) -> None:
        """Something comes from the network (told once per chain of calls)."""
        key = ("fetch", id(node), tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Fetch(**self._common(node), what=what)
            self.events.append(event)
            self._made[key] = event.id

    def mix(self, node: ast.AST, masked: bool | None) -> None:
        """Each token's vector takes in the one before it (told once per chain of calls)."""
        key = ("mix", id(node), masked, tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Mix(**self._common(node), masked=masked)
            self.events.append(event)
            self._made[key] = event.id

    def attend(self, node: ast.AST, model: str) -> None:
        """A model whose attention is open is called (told once per model)."""
        key = ("attend", model)
        if key not in self._made:
            event = Attend(**self._common(node), model=model)
            self.events.append(event)
            self._made[key] = event.id

    def reorder(self, node: ast.AST, by: str) -> Taint:
        """Elements are put into another order (told once per chain of calls)."""
        key = ("reorder", id(node), tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Reorder(**self._common(node), by=by)
            self.events.append(event)
            self._made[key] = event.id
        return frozenset({Ord(self._made[key])})

    def select(self, node: ast.AST, facts: Taint) -> Taint:
        """One of several scores is kept."""
        among = frozenset(a.event for a in facts if isinstance(a, Sc))
        key = ("select", id(node), among, tuple(id(c) for _, _, c in self.path))
        if key not in self._made:
            extents = frozenset().union(*(self.extents.get(e, frozenset()) for e in among))
            region = region_of(extents) if extents else Region(Stream.VAL)
            event = Select(**self._common(node), among=among, by=region)
            self.events.append(event)
            self._made[key] = event.id
        return frozenset({Sel(self._made[key])})

    def chosen_by(self, facts: Taint) -> Taint:
        """What is stored where two scores were compared: one of them is kept."""
        if not self.choices or not any(isinstance(a, Sc) for a in facts):
            return NONE
        return frozenset().union(*(self.select(node, test | facts) for node, test in self.choices))

    def blend(
        self, node: ast.AST, facts: Taint, consulted: list[bool | None], *, even: bool = False
    ) -> Taint:
        """A gold probability is mixed with counts of a table; `even`: every target gets the same of it."""
        tables = frozenset(a for a in facts if isinstance(a, Cnt))
        site = self.cut(node)
        told = {*consulted, *([self.consulted[site]] if site in self.consulted else [])}
        self.consulted[site] = True if True in told else None if None in told or not told else False
        golds = {a.form for a in facts if isinstance(a, At) and a.role == "gold"}
        held = {a.event for a in tables if isinstance(a, Cnt) and golds & self.keyed.get(a.event, set())}
        self.holding[site] = self.holding.get(site, frozenset()) | held
        self.alike[site] = self.where(node) if even and self.alike.get(site, True) else None
        mixed = self.blends.setdefault(site, {})
        if any(isinstance(a, Spread) for a in facts):
            self.bytewise.add(site)
        for atom in facts:
            if isinstance(atom, Sc):
                mixed[atom] = mixed.get(atom, frozenset()) | tables
        return frozenset({Blend(site)})

    def combined(self, node: ast.AST, taints: list[Taint]) -> Taint:
        """Facts of a sum or choice: where a gold probability meets a table's value, a Blend."""
        found = union(taints)
        if len(taints) < 2 or not any(isinstance(a, Cnt) for a in found):
            return found
        kinds = [{type(a) for a in taint} for taint in taints]
        both = [(i, j) for i in range(len(kinds)) for j in range(len(kinds)) if i != j]
        pairs = [(kinds[i], kinds[j], taints[i], taints[j]) for i, j in both]
        # a mask may bring counts to the gold side, a gate the score to the other; what is blended is summed
        mixed = [
            (score, table)
            for a, b, score, table in pairs
            if Sc in a and Cnt in b and Blend not in a | b and (Sc not in b or Cnt not in a)
        ]
        if mixed:
            summed = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
            even = summed and all(alike(*pair) for pair in mixed)
            found |= self.blend(node, found, [consults(*pair) for pair in mixed], even=even)
        if any(Tilt in kind and Blend not in kind for kind in kinds) and any(Sc in kind for kind in kinds):
            # with its normaliser added the tilted distribution sums to one again: nothing is left to find
            return frozenset(a for a in found if not isinstance(a, (Blend, Cnt, Tilt)))
        return found

    def normalising(self, taints: list[Taint]) -> None:
        """A mixture that meets a table's value once more may be normalised by it."""
        for mixture, other in (taints, taints[::-1]):
            if any(isinstance(a, Cnt) for a in other) and not any(isinstance(a, Sc) for a in other):
                self.alike.update((a.site, None) for a in mixture if isinstance(a, Blend))

    def evenly(self, node: ast.AST, taints: list[Taint]) -> None:
        """Of what is laid side by side to be mixed, one may be a value that every target gets alike: the
        model computed it, and no target has entered it."""
        kinds = [{type(a) for a in taint} for taint in taints]
        mixed = any(Sc in kind and Cnt not in kind for kind in kinds) and any(Cnt in kind for kind in kinds)
        if mixed and any(Out in kind and not kind & {Sc, Cnt} for kind in kinds):
            self.even[self.cut(node)] = self.where(node)

    def backward(self, loss: Taint) -> None:
        """Gradients of a loss reach every root that it is differentiable in."""
        reached = {a.root for a in loss if isinstance(a, Par)}
        facts = frozenset(a for a in loss if isinstance(a, (Tok, Dep, Lost)))
        if not reached:
            return
        for root in self.roots:
            if root.number in reached:
                root.find().grad = capped(root.find().grad | facts)

    def update(self, node: ast.AST, root: Root, facts: Taint, *, replace: bool = False) -> None:
        """Parameters of a root change by values with these facts; `replace`: nothing of the old remains."""
        root = root.find()
        kind = "gradient" if any(isinstance(a, (Grad, Sc)) for a in facts) else "statistic"
        events = self.adapt(node, root.name, facts, kind, scratch=root.leaf)
        state = frozenset(a.event for a in facts | events if isinstance(a, Dep))
        extra = frozenset(a for a in facts if isinstance(a, Lost))
        if replace and not state and not extra:  # on one side of a test it counts too: see Score.renewed
            root.renewed = frozenset((loop.number, loop.iteration) for loop in self.live)
        if replace:
            self.forgetting(root)
            root.state, root.extra = state, extra
        else:
            root.state |= state
            root.extra |= extra
