"""What changed of models, behaviour, permissions, constraints and operation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from agentoci.definition.size import InvalidSize, Size
from agentoci.release.changes import Change, change
from agentoci.release.documents import (
    compare_sets,
    compare_settings,
    flat,
    named_at,
    object_at,
    same,
    texts_at,
    value_at,
)
from agentoci.spec.jsonio import Json

Document = Mapping[str, Json]

_TEMPLATE: Final = ("spec", "config_template")
_LIMITS: Final = ("permissions", "resource_limits")
_OPEN: Final = ("host", "unlimited")
"""Values of the isolation that separate from nothing."""


def compare_models(old: Document, new: Document) -> Iterator[Change]:
    """Models, temperature, context window and endpoints: what whoever runs the agent chooses."""
    before, after = object_at(old, *_TEMPLATE), object_at(new, *_TEMPLATE)
    models = [texts_at(one, "llm", "supported_models") for one in (before, after)]
    yield from _compare_model_lists(models[0], models[1])
    for stem, path in (("temperature", ("llm", "temperature")), ("context", ("context_window",))):
        yield from _compare_bounds(object_at(before, *path), object_at(after, *path), stem)
    endpoints = [object_at(one, "api_endpoints") for one in (before, after)]
    yield from compare_settings(endpoints[0], endpoints[1], "endpoint")


def _compare_model_lists(old: list[str], new: list[str]) -> Iterator[Change]:
    """No list means any model."""
    if bool(old) != bool(new):
        rule = "model.list-closed" if new else "model.list-opened"
        yield change(rule, "", [*old] or None, [*new] or None)
        return
    yield from compare_sets(old, new, "model")
    if old != new and sorted(old) == sorted(new):
        yield change("model.reordered", "", [*old], [*new])


def _compare_bounds(old: dict[str, Json], new: dict[str, Json], stem: str) -> Iterator[Change]:
    """Two ranges of numbers; a bound that is not given is none."""
    (low, high), (low_now, high_now) = _bounds(old), _bounds(new)
    wider, narrower = low_now <= low and high <= high_now, low <= low_now and high_now <= high
    if not (wider and narrower):
        kind = "widened" if wider else "narrowed" if narrower else "moved"
        yield change(f"{stem}.{kind}", "", _shown(old), _shown(new))
    for key in ("default", "recommended"):
        if not same(old.get(key), new.get(key)):
            yield change(f"{stem}.{key}-changed", "", old.get(key), new.get(key))


def _bounds(found: dict[str, Json]) -> tuple[float, float]:
    low, high = found.get("min"), found.get("max")
    return (
        low if isinstance(low, int | float) else -math.inf,
        high if isinstance(high, int | float) else math.inf,
    )


def _shown(found: dict[str, Json]) -> Json:
    return {key: found[key] for key in ("min", "max") if key in found} or None


def compare_behavior(old: Document, new: Document) -> Iterator[Change]:
    """Behaviour, setting by setting; exploring is a permission that the agent gives itself."""
    before, after = flat(value_at(old, "spec", "behavior")), flat(value_at(new, "spec", "behavior"))
    for key in sorted({*before, *after}):
        if key.startswith("exploration."):
            was, is_now = before.pop(key, None), after.pop(key, None)
            if (was is True) != (is_now is True):
                end = "enabled" if is_now is True else "disabled"
                yield change(f"exploration.{end}", key.partition(".")[2], was, is_now)
            elif not same(was, is_now):
                yield change("behavior.changed", key, was, is_now)
    yield from compare_settings(before, after, "behavior")


def compare_knowledge_lists(old: Document, new: Document) -> Iterator[Change]:
    """The files that a definition names; their order says nothing."""
    for part in ("static", "dynamic"):
        before, after = (texts_at(one, "spec", "knowledge", part) for one in (old, new))
        for found in compare_sets(before, after, "listed-knowledge"):
            yield change(found.rule.id, f"{part} {found.subject}")
    path = ("spec", "knowledge", "principles")
    yield from compare_sets(texts_at(old, *path), texts_at(new, *path), "principle")


def compare_permissions(old: Document, new: Document) -> Iterator[Change]:
    """Grants by user and action, limits, isolation."""
    before, after = _grants(old), _grants(new)
    for grant in sorted(before ^ after):
        yield change("permission.granted" if grant in after else "permission.revoked", grant)
    yield from _compare_limits(object_at(old, *_LIMITS), object_at(new, *_LIMITS))
    yield from _compare_isolation(object_at(old, "isolation"), object_at(new, "isolation"))


def _grants(document: Document) -> set[str]:
    listed = value_at(document, "permissions", "execution")
    grants = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {f"{one.get('user')}: {action}" for one in grants for action in texts_at(one, "actions")}


def _compare_limits(old: dict[str, Json], new: dict[str, Json]) -> Iterator[Change]:
    """A limit that is not given is none."""
    for key in sorted({*old, *new}):
        was, is_now = _amount(old.get(key)), _amount(new.get(key))
        if was != is_now:
            rule = "limit.raised" if is_now > was else "limit.lowered"
            yield change(rule, key, old.get(key), new.get(key))


def _amount(limit: Json) -> float:
    if isinstance(limit, str):
        try:
            return Size.parse(limit).bytes
        except InvalidSize:
            return math.inf
    return limit if isinstance(limit, int | float) else math.inf


def _compare_isolation(old: dict[str, Json], new: dict[str, Json]) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        was, is_now = old.get(key), new.get(key)
        if not same(was, is_now):
            step = _strictness(is_now) - _strictness(was)
            rule = "isolation.tightened" if step > 0 else "isolation.loosened"
            yield change(rule if step else "setting.changed", key, was, is_now)


def _strictness(value: Json) -> int:
    """What is not said is left to the runtime: more than the host's own, less than asked for."""
    if value is None:
        return 1
    return 0 if value in _OPEN else 2


def compare_constraints(old: Document, new: Document) -> Iterator[Change]:
    """Constraints by id, invariants by text."""
    before, after = (named_at(one, "spec", "constraints", by="id") for one in (old, new))
    for key in sorted({*before, *after}):
        was, is_now = before.get(key), after.get(key)
        if was is None or is_now is None:
            end = "added" if was is None else "removed"
            yield change(f"constraint.{end}", key, was, is_now)
        elif not same(was.get("validation"), is_now.get("validation")):
            values = was.get("validation"), is_now.get("validation")
            yield change("constraint.changed", key, *values)
        elif not same(was, is_now):
            yield change("constraint.reworded", key, was, is_now)
    path = ("spec", "invariants")
    yield from compare_sets(texts_at(old, *path), texts_at(new, *path), "invariant")


def compare_operation(old: Document, new: Document) -> Iterator[Change]:
    """Health check, metrics and logging."""
    yield from _compare_wholes(old.get("health_check"), new.get("health_check"), "health-check")
    before, after = named_at(old, "metrics"), named_at(new, "metrics")
    yield from compare_settings(before, after, "metric")
    logging = object_at(old, "logging"), object_at(new, "logging")
    yield from compare_sets(_outputs(logging[0]), _outputs(logging[1]), "log-output")
    settings = [{k: v for k, v in one.items() if k != "outputs"} for one in logging]
    for key in sorted({*settings[0], *settings[1]}):
        was, is_now = settings[0].get(key), settings[1].get(key)
        if not same(was, is_now):
            yield change("logging.changed", key, was, is_now)


def _outputs(logging: dict[str, Json]) -> list[str]:
    found = logging.get("outputs")
    outputs = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return list(
        dict.fromkeys(
            " ".join(str(one[key]) for key in sorted(one, reverse=True)) for one in outputs
        )
    )


def _compare_wholes(old: Json, new: Json, stem: str, subject: str = "") -> Iterator[Change]:
    old, new = old or None, new or None
    if not same(old, new):
        end = "added" if old is None else "removed" if new is None else "changed"
        yield change(f"{stem}.{end}", subject, old, new)


def compare_health_commands(old: Json, new: Json) -> Iterator[Change]:
    """The HEALTHCHECK of an Agentfile."""
    yield from _compare_wholes(old, new, "health-check", "command")
