"""How parts of a search join: conditions on an opinion that stand side by side speak of one and the same opinion."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.query.tree import All, Everything, Field, Node, Not, OneOpinion, Some

Condition = tuple[str, tuple[str, ...]]


def all_of(parts: Sequence[Node]) -> Node:
    """Every part matches. ``brand tone via voice`` and ``is:counted`` among the parts become one opinion."""
    conditions: list[Condition] = []
    excluded: list[Condition] = []
    others: list[Node] = []
    for part in parts:
        if (condition := _single(part)) is not None:
            conditions.append(condition)
        elif isinstance(part, Not) and (condition := _single(part.part)) is not None and condition[0] != "brand":
            excluded.append(condition)
        elif isinstance(part, All):
            others += part.parts
        elif not isinstance(part, Everything):
            others.append(part)
    opinions = _opinions(conditions, excluded)
    joined = (*opinions, *others)
    if not joined:
        return Everything()
    return joined[0] if len(joined) == 1 else All(joined)


def _opinions(conditions: list[Condition], excluded: list[Condition]) -> list[Node]:
    """One opinion; where several brands are asked for, one on each of them with the same other conditions."""
    if not conditions:
        return [Not(OneOpinion((condition,))) for condition in excluded]
    brands = [condition for condition in conditions if condition[0] == "brand"]
    rest = [condition for condition in conditions if condition[0] != "brand"]
    return [OneOpinion((*brand, *rest), tuple(excluded)) for brand in ([b] for b in brands)] or [
        OneOpinion(tuple(rest), tuple(excluded))
    ]


def _single(part: Node) -> Condition | None:
    """The condition of a part that is nothing but one condition on an opinion."""
    match part:
        case OneOpinion((condition,), ()):
            return condition
    return None


def some_of(parts: Sequence[Node]) -> Node:
    """At least one part matches. Values of one and the same field become one part."""
    conditions = [_single(part) for part in parts]
    names = {condition[0] for condition in conditions if condition}
    if len(names) == 1 and all(conditions):
        values = tuple(value for condition in conditions if condition for value in condition[1])
        return OneOpinion(((names.pop(), values),))
    fields = [part for part in parts if isinstance(part, Field)]
    if len(fields) == len(parts) and len({field.name for field in fields}) == 1:
        return Field(fields[0].name, tuple(value for field in fields for value in field.values))
    return parts[0] if len(parts) == 1 else Some(tuple(parts))


def negated(part: Node) -> Node:
    """The part does not match."""
    return part.part if isinstance(part, Not) else Not(part)
