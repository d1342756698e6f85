"""Ancestries: chains, diamonds, circles, and whose word every value is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci.definition.ancestry import Ancestry, resolve
from agentoci.definition.difference import difference
from agentoci.definition.flat import Tangled
from agentoci.definition.lineage import AGENTFILE, CorruptLineage, Entry, Lineage
from agentoci.definition.linearization import linearise
from agentoci.definition.merging import Contradiction
from agentoci.definition.parents import ParentMissing, ParentName, Source
from agentoci.definition.read import definition_document, read_definition
from agentoci.definition.yamlio import load
from agentoci.errors import NotFound, SourceFaults
from agentoci.spec.jsonio import Json, canonical, loads_object
from tests.definition.patches import children, definitions
from tests.definition.samples import CHILD, FULL

HEAD = "apiVersion: agent/v1\nkind: AgentDefinition\n"


def text(key: str, *parents: str, spec: str = "{}") -> str:
    """A definition with parents, each as `name@version`."""
    name, _, version = key.partition("@")
    listed = f"  parent: {parents[0]}\n" if len(parents) == 1 else ""
    if len(parents) > 1:
        listed = f"  parent: [{', '.join(parents)}]\n"
    return f"{HEAD}metadata:\n  name: {name}\n  version: {version}\n{listed}spec: {spec}\n"


def source(written: str, where: str = "child.agentdef") -> Source:
    content = written.encode()
    definition = read_definition(content, file=where)
    return Source(definition_document(definition), where, load(content, file=where))


def image(ancestry: Ancestry, where: str = "image:1") -> Source:
    return Source(ancestry.lineage.document(), where, lineage=ancestry.lineage)


def family(*texts: str, images: Mapping[str, Source] | None = None) -> Any:
    """A `find` over these definitions."""
    found = dict(images or {})
    for written in texts:
        each = source(written)
        name = each.key.partition("@")[0]
        found[each.key] = source(written, f"{name}.agentdef")

    def find(parent: ParentName, child: Source) -> Source:
        if str(parent) not in found:
            raise NotFound(f"{parent} is nowhere", hint="make one")
        return found[str(parent)]

    return find


def resolved(child: str, *others: str, **options: Any) -> Ancestry:
    return resolve(source(child), family(*others, **options))


def refused(child: str, *others: str) -> str:
    """The one fault, rendered; it has a caret."""
    with pytest.raises(SourceFaults) as caught:
        resolved(child, *others)
    (fault,) = caught.value.faults
    assert "^" in fault.render()
    return fault.render()


def test_the_architectures_child_has_all_of_its_parent() -> None:
    made = resolved(CHILD, FULL).lineage.document()
    spec: Any = made["spec"]
    assert made["metadata"] == {
        "name": "advanced_coordinator_agent",
        "version": "1.0.0",
        "parent": "coordinator_agent@1.0.0",
    }
    assert "inherit" not in spec
    assert "extensions" not in spec
    tools = [tool["name"] for tool in spec["requires"]["tools"]]
    assert tools == ["psm_generation_agent", "performance_monitor"]
    assert spec["knowledge"]["static"] == [
        "workflow/coordination_patterns.md",
        "advanced/parallel_execution.md",
    ]
    assert spec["knowledge"]["dynamic"] == []
    assert spec["behavior"]["execution"]["max_recursion"] == 100
    assert spec["behavior"]["memory"]["level"] == "SMART"
    assert [each["id"] for each in spec["constraints"]][-1] == "bounded"
    assert spec["invariants"] == ["保持工作目录整洁", "日志齐全"]
    assert made["permissions"] == source(FULL).document["permissions"]
    assert made["logging"] == source(FULL).document["logging"]
    read_definition(canonical(made), file="merged")


def test_every_value_has_its_origin() -> None:
    lineage = resolved(CHILD, FULL).lineage
    origins = lineage.origins()
    parent, child = "coordinator_agent@1.0.0", "advanced_coordinator_agent@1.0.0"
    assert origins["/metadata/name"] == child
    assert origins["/metadata/version"] == child, "though it is the same text as the parent's"
    assert origins["/spec/requires/tools/0/version"] == parent
    assert origins["/spec/requires/tools/1/name"] == child
    assert origins["/spec/knowledge/static/1"] == child
    assert origins["/permissions/execution/0/actions"] == parent
    assert origins["/spec/config_template/llm/supported_models"] == parent
    assert origins["/spec/invariants/1"] == child
    assert "/metadata/author" not in origins


def test_a_chain_is_merged_from_its_root() -> None:
    made = resolved(
        text("c@1.0.0", "b@1.0.0", spec="{knowledge: {static: [c]}}"),
        text("b@1.0.0", "a@1.0.0", spec="{interface: from b, knowledge: {static: [b]}}"),
        text("a@1.0.0", spec="{interface: from a, knowledge: {static: [a]}}"),
    )
    assert [node.key for node in made.nodes] == ["c@1.0.0", "b@1.0.0", "a@1.0.0"]
    assert made.lineage.document()["spec"] == {
        "interface": "from b",
        "knowledge": {"static": ["a", "b", "c"]},
    }
    assert made.nodes[2].way == "c@1.0.0 → b@1.0.0 → a@1.0.0"


DIAMOND = (
    text("b@1.0.0", "a@1.0.0", spec="{knowledge: {static: [b]}, interface: b}"),
    text("c@1.0.0", "a@1.0.0", spec="{knowledge: {static: [c]}, interface: c}"),
    text(
        "a@1.0.0",
        spec="{knowledge: {static: [a]}, interface: a, behavior: {memory: {level: NONE}}}",
    ),
)


def test_a_diamond_is_merged_in_the_order_of_classes() -> None:
    made = resolved(text("d@1.0.0", "b@1.0.0", "c@1.0.0"), *DIAMOND)
    assert [node.key for node in made.nodes] == ["d@1.0.0", "b@1.0.0", "c@1.0.0", "a@1.0.0"]
    spec: Any = made.lineage.document()["spec"]
    assert spec["interface"] == "b"
    assert spec["knowledge"]["static"] == ["a", "c", "b"]


def test_images_and_files_make_one_diamond() -> None:
    find = family(*DIAMOND)
    images = {key: image(resolve(find(ParentName.parse(key), None), find)) for key in ("b@1.0.0",)}
    child = text("d@1.0.0", "b@1.0.0", "c@1.0.0")
    made = resolved(child, *DIAMOND[1:], images=images)
    assert made.lineage.document() == resolved(child, *DIAMOND).lineage.document()
    assert made.lineage == resolved(child, *DIAMOND).lineage


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{inherit: all}", {"interface": "a", "knowledge": {"static": ["k"]}}),
        ("{}", {"interface": "a", "knowledge": {"static": ["k"]}}),
        ("{inherit: [knowledge]}", {"knowledge": {"static": ["k"]}}),
        ("{inherit: []}", {}),
        (
            "{inherit: [knowledge], interface: own}",
            {"knowledge": {"static": ["k"]}, "interface": "own"},
        ),
    ],
)
def test_a_list_takes_those_parts_alone(spec: str, expected: Json) -> None:
    parent = (
        text("a@1.0.0", spec="{interface: a, knowledge: {static: [k]}}")
        + "isolation: {network: host}\n"
    )
    made = resolved(text("c@1.0.0", "a@1.0.0", spec=spec), parent).lineage.document()
    assert made["spec"] == expected
    assert ("isolation" in made) == ("[" not in spec)


def test_an_ancestor_of_two_lines_gives_what_either_takes() -> None:
    spec = "{interface: a, behavior: {memory: {level: NONE}}, invariants: [x]}"
    made = resolved(
        text("d@1.0.0", "b@1.0.0", "c@1.0.0"),
        text("b@1.0.0", "a@1.0.0", spec="{inherit: [interface]}"),
        text("c@1.0.0", "a@1.0.0", spec="{inherit: [behavior]}"),
        text("a@1.0.0", spec=spec),
    )
    assert made.lineage.document()["spec"] == {
        "interface": "a",
        "behavior": {"memory": {"level": "NONE"}},
    }


# Faults


def test_a_circle_is_shown() -> None:
    told = refused(
        text("a@1.0.0", "b@1.0.0"), text("b@1.0.0", "c@2.0.0"), text("c@2.0.0", "a@1.0.0")
    )
    assert told.startswith("c.agentdef:6:11: ")
    assert "a@1.0.0 → b@1.0.0 → c@2.0.0 → a@1.0.0" in told


def test_a_definition_is_not_its_own_parent() -> None:
    assert "a@1.0.0 → a@1.0.0" in refused(text("a@1.0.0", "a@1.0.0"))


def test_a_missing_parent_is_told_with_the_way_to_it() -> None:
    with pytest.raises(ParentMissing) as caught:
        resolved(text("a@1.0.0", "b@1.0.0"), text("b@1.0.0", "x@1.0.0", "c@1.0.0"), text("x@1.0.0"))
    assert caught.value.exit_code == NotFound.exit_code
    assert caught.value.message.splitlines() == [
        "b.agentdef:6:21: c@1.0.0 is nowhere (a@1.0.0 → b@1.0.0 → c@1.0.0)",
        "  |   parent: [x@1.0.0, c@1.0.0]",
        "  |                     ^^^^^^^",
        "  hint: make one",
    ]


def test_two_versions_of_one_definition_are_shown_with_their_ways() -> None:
    told = refused(
        text("d@1.0.0", "b@1.0.0", "c@1.0.0"),
        text("b@1.0.0", "a@1.0.0"),
        text("c@1.0.0", "a@2.0.0"),
        text("a@1.0.0"),
        text("a@2.0.0"),
    )
    assert "two versions of a: " in told
    assert "d@1.0.0 → b@1.0.0 → a@1.0.0" in told
    assert "d@1.0.0 → c@1.0.0 → a@2.0.0" in told


def test_a_version_may_extend_an_earlier_one() -> None:
    made = resolved(text("a@2.0.0", "a@1.0.0"), text("a@1.0.0", spec="{interface: a}"))
    assert made.lineage.document()["spec"] == {"interface": "a"}


def test_parents_in_no_order_are_refused() -> None:
    told = refused(
        text("d@1.0.0", "a@1.0.0", "b@1.0.0"), text("b@1.0.0", "a@1.0.0"), text("a@1.0.0")
    )
    assert "cannot be put in one order" in told
    assert "list a parent before those that it extends" in told


def test_one_name_with_two_contents_is_refused() -> None:
    other = text("a@1.0.0", spec="{interface: another}")
    images = {"b@1.0.0": image(resolved(text("b@1.0.0", "a@1.0.0"), other))}
    child = text("d@1.0.0", "b@1.0.0", "c@1.0.0")
    with pytest.raises(SourceFaults, match=r"a@1\.0\.0 has other content on two lines"):
        resolved(child, *DIAMOND[1:], images=images)


def test_a_long_line_of_parents_ends() -> None:
    count = limits.MAX_ANCESTORS + 2
    texts = [text(f"a{n}@1.0.0", f"a{n + 1}@1.0.0") for n in range(count)]
    with pytest.raises(SourceFaults, match="more than 64 parents"):
        resolved(texts[0], *texts[1:], text(f"a{count}@1.0.0"))


def test_many_diamonds_take_no_time() -> None:
    texts = [text("a0@1.0.0"), text("b0@1.0.0")]
    for n in range(1, 25):
        below = (f"a{n - 1}@1.0.0", f"b{n - 1}@1.0.0")
        texts += [text(f"a{n}@1.0.0", *below), text(f"b{n}@1.0.0", *below)]
    assert len(resolved(text("top@1.0.0", "a24@1.0.0", "b24@1.0.0"), *texts).nodes) == 51


@pytest.mark.parametrize(
    ("extensions", "message", "hint", "column"),
    [
        ("tools: {remove: [debug_agnet]}", "'debug_agnet' cannot be removed", "'debug_agent'", 38),
        ("knowledge: {remove: [a.md]}", "'a.md' cannot be removed", "one of: workflow", 42),
    ],
)
def test_what_no_parent_has_cannot_be_removed(
    extensions: str, message: str, hint: str, column: int
) -> None:
    child = text("x@1.0.0", "coordinator_agent@1.0.0", spec=f"{{extensions: {{{extensions}}}}}")
    told = refused(child, FULL)
    assert told.startswith(f"child.agentdef:7:{column}: {message}: no parent has it")
    assert hint in told


def test_a_parent_is_checked_as_its_child_is() -> None:
    middle = text("b@1.0.0", "a@1.0.0", spec="{extensions: {tools: {remove: [gone]}}}")
    told = refused(text("c@1.0.0", "b@1.0.0"), middle, text("a@1.0.0"))
    assert told.startswith("b.agentdef:7:38: 'gone' cannot be removed")
    assert "there is nothing to remove" in told


@pytest.mark.parametrize("wrapped", ["constraints: {}", "extensions: {{constraints: {{add: {}}}}}"])
def test_a_weaker_constraint_is_refused_where_it_stands(wrapped: str) -> None:
    weaker = wrapped.replace("{}", "[{{id: no_infinite_loop, validation: 'x < 9'}}]", 1).format()
    told = refused(text("x@1.0.0", "coordinator_agent@1.0.0", spec=f"{{{weaker}}}"), FULL)
    assert "'no_infinite_loop' is the parent's, and cannot get another validation" in told
    line, under = told.splitlines()[1:3]
    assert line[under.index("^") :].startswith("'x < 9'")


def test_parents_that_contradict_each_other() -> None:
    told = refused(
        text("d@1.0.0", "b@1.0.0", "c@1.0.0"),
        text("b@1.0.0", spec="{constraints: [{id: x, validation: a}]}"),
        text("c@1.0.0", spec="{constraints: [{id: x, validation: b}]}"),
    )
    assert "its parents contradict each other: constraint 'x'" in told


# The order


def test_linearisation_is_pythons() -> None:
    class A: ...

    class B(A): ...

    class C(A): ...

    class D(C): ...

    class E(B, D): ...

    orders = [[k.__name__ for k in base.__mro__[:-1]] for base in (B, D)]
    assert linearise([*orders, ["B", "D"]]) == [k.__name__ for k in E.__mro__[1:-1]]
    assert linearise([["A", "B"], ["B", "A"]]) is None


# What the config carries


@given(definitions(), st.lists(children(), max_size=3))
def test_a_lineage_is_read_back_from_a_config(root: Any, others: list[Any]) -> None:
    entries = tuple(Entry(f"n{i}@1.0.0", d) for i, d in enumerate([root, *others]))
    lineage = Lineage(entries)
    agentoci: dict[str, Json] = {"definition": lineage.document(), "lineage": lineage.json()}
    again = loads_object(canonical(agentoci), what="config")
    assert Lineage.of(again, what="config") == lineage


@given(definitions(), st.lists(children(), max_size=3))
def test_every_leaf_has_an_origin(root: Any, others: list[Any]) -> None:
    entries = tuple(Entry(f"n{i}@1.0.0", d) for i, d in enumerate([root, *others]))
    lineage = Lineage(entries)
    origins = lineage.origins()
    for pointer, value in _values("", lineage.document()):
        if not isinstance(value, list | dict):
            assert pointer in origins or any(pointer.startswith(f"{p}/") for p in origins)
    assert set(origins) <= {pointer for pointer, _ in _values("", lineage.document())}


def _values(pointer: str, value: Json) -> Iterator[tuple[str, Json]]:
    yield pointer, value
    inside = value.items() if isinstance(value, dict) else ()
    listed = enumerate(value) if isinstance(value, list) else ()
    for key, inner in (*inside, *listed):
        yield from _values(f"{pointer}/{key}", inner)


def test_what_an_agentfile_says_is_its_word() -> None:
    before = source(FULL).document
    after: Any = loads_object(canonical(before), what="copy")
    after["spec"]["behavior"]["memory"]["level"] = "BASIC"
    after["spec"]["requires"]["tools"].append({"name": "new", "version": "1.0"})
    patch = difference(before, after).document()
    lineage = Lineage((Entry("coordinator_agent@1.0.0", before), Entry(AGENTFILE, patch)))
    assert lineage.document() == after
    assert patch == {
        "spec": {
            "behavior": {"memory": {"level": "BASIC"}},
            "requires": {"tools": [{"name": "new", "version": "1.0"}]},
        }
    }
    own = {pointer for pointer, origin in lineage.origins().items() if origin == AGENTFILE}
    assert own == {
        "/spec/behavior/memory/level",
        "/spec/requires/tools/2/name",
        "/spec/requires/tools/2/version",
    }


@pytest.mark.parametrize(
    "lineage",
    [{}, [{}], [{"origin": "a@1.0.0"}], [{"origin": 1, "document": {}}], ["a"],
     [{"origin": "a@1.0.0", "document": {"spec": {}}}]],
)  # fmt: skip
def test_a_lineage_that_is_none_is_refused(lineage: Json) -> None:
    with pytest.raises(CorruptLineage):
        Lineage.of({"definition": {"spec": {"interface": "x"}}, "lineage": lineage}, what="image")


@pytest.mark.parametrize(
    "documents",
    [
        ({"spec": {"behavior": {"memory": {}}}}, {"spec": {"behavior": 5}}),
        ({"metadata": {"name": "x"}}, {"metadata": []}),
        ({"spec": 5}, {"spec": {"requires": {"tools": [5]}}}),
        tuple({"spec": {"constraints": [{"id": "x", "validation": v}]}} for v in "ab"),
        ({"metrics": [5, None, {"name": {}}]}, {"metrics": {"a": 1}}),
    ],
)
def test_a_lineage_of_what_is_no_definition_is_refused(documents: Any) -> None:
    entries: Json = [{"origin": "a@1.0.0", "document": document} for document in documents]
    with pytest.raises(CorruptLineage):
        Lineage.of({"definition": {"spec": {}}, "lineage": entries}, what="image")


_KEYS = st.sampled_from(
    ["apiVersion", "metadata", "spec", "requires", "tools", "extensions", "add", "remove", "name",
     "constraints", "id", "knowledge", "static", "removed", "behavior", "override", "metrics", "/"]
)  # fmt: skip
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | _KEYS | st.just("/spec/requires/tools/x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(_KEYS, _ANYTHING, max_size=4), min_size=1, max_size=3))
def test_no_lineage_of_a_stranger_breaks_the_reader(documents: list[Any]) -> None:
    entries = tuple(Entry("a@1.0.0", each) for each in documents)
    agentoci: dict[str, Json] = {"lineage": Lineage(entries).json(), "definition": {}}
    try:
        agentoci["definition"] = Lineage(entries).document()
    except (Contradiction, Tangled):
        with pytest.raises(CorruptLineage):
            Lineage.of(agentoci, what="image")
        return
    lineage = Lineage.of(agentoci, what="image")
    assert lineage.document() == agentoci["definition"]
    assert set(lineage.origins().values()) <= {"a@1.0.0"}
    lineage.own()


def test_a_lineage_without_end_is_refused() -> None:
    entry: Json = {"origin": "a@1.0.0", "document": {}}
    with pytest.raises(CorruptLineage, match="more than 1000 entries"):
        Lineage.of({"definition": {}, "lineage": [entry] * 1001}, what="image")


def test_a_lineage_that_costs_too_much_to_add_up_is_refused() -> None:
    """A megabyte of it took a minute: each entry is laid over all that stand before it."""
    entries: list[Json] = [
        {
            "origin": "a@1.0.0",
            "document": {
                "removed": [f"/spec/x/{at}_{i}" for i in range(40)],
                "spec": {"x": {f"{at}_{i}": 1 for i in range(20)}},
            },
        }
        for at in range(1000)
    ]
    with pytest.raises(CorruptLineage, match="too much"):
        Lineage.of({"definition": {}, "lineage": entries}, what="image")


@pytest.mark.parametrize("part", ["static", "dynamic", "principles"])
def test_a_mapping_where_a_text_should_be_has_an_origin_all_the_same(part: str) -> None:
    definition: dict[str, Json] = {"spec": {"knowledge": {part: [{"name": "x"}, 5, None]}}}
    lineage = Lineage.of({"definition": definition}, what="image")
    assert set(lineage.origins()) == {f"/spec/knowledge/{part}/{at}" for at in range(3)}


def test_an_image_without_a_lineage_is_its_own_root() -> None:
    definition = dict(source(FULL).document)
    lineage = Lineage.of({"definition": definition}, what="image")
    assert lineage.document() == definition
    assert set(lineage.origins().values()) == {"coordinator_agent@1.0.0"}
    assert Lineage.of({}, what="image").entries == ()
