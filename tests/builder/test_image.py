"""What is in a built image: layers in their order, bindings, configuration, inventory, history."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from agentoci._internal.limits import MIB
from agentoci.api.builds import Profile
from agentoci.builder.build import TooManyLayers
from agentoci.builder.profiles import store_as_image
from agentoci.content.reader import fetch_bytes
from agentoci.errors import Invalid
from agentoci.layers.unpack import unpack_image
from tests.builder.workshop import Workshop

EVERYTHING = """\
FROM scratch
COPY tools/ /agent/tools/
COPY learned/ /agent/learned/
COPY data.csv /agent/data/
COPY knowledge/ /agent/knowledge/
REQUIRE psm_generator:1.0
REQUIRE --optional debug_agent@>=1.0
SET memory.level=SMART
ENV A=1 B="two words"
LABEL team=blue org.opencontainers.image.version=1.2
INTERFACE everything
HEALTHCHECK --interval=30s CMD ["check"]
ENTRYPOINT ["python3", "tools/run.py"]
"""


@pytest.fixture
def filled(workshop: Workshop) -> Workshop:
    workshop.fill(
        {"learned/l.md": "l", "data.csv": "1,2", "knowledge/a.md": "a", "knowledge/link": "-> a.md"}
    )
    workshop.write("tools/run.py", "print()", executable=True)
    return workshop


def kinds(workshop: Workshop, built: Any) -> list[str]:
    return [str(kind.kind) for kind in workshop.image(built).layer_types()]


def text_of(workshop: Workshop, built: Any, path: str) -> Any:
    content = workshop.tree(built)[path]
    assert isinstance(content, bytes)
    return json.loads(content)


def test_layers_stand_in_the_order_of_the_picture(filled: Workshop) -> None:
    built = filled.build_text(EVERYTHING)
    wanted = ["learned", "files", "knowledge", "tools", "tools", "config", "interface"]
    assert kinds(filled, built) == wanted
    for desc, kind in zip(filled.image(built).manifest.layers, wanted, strict=True):
        assert desc.media_type == f"application/vnd.agentoci.layer.{kind}.v1.tar+zstd"
        title = desc.annotations["org.opencontainers.image.title"]
        assert title == f"{kind}-{desc.digest.short}.tar.zst"


def test_tool_bindings_follow_from_requirements(filled: Workshop) -> None:
    built = filled.build_text(EVERYTHING)
    wanted = [
        {"name": "psm_generator", "version": "1.0", "required": True},
        {"name": "debug_agent", "version": ">=1.0", "required": False},
    ]
    assert text_of(filled, built, "agent/tools/bindings.json") == {"version": 1, "tools": wanted}
    config = filled.image(built).config.agentoci
    assert config["requirements"] == wanted
    definition: Any = config["definition"]
    assert definition["spec"]["requires"]["tools"] == wanted


def test_without_requirements_and_behaviour_there_are_no_layers_of_them(filled: Workshop) -> None:
    built = filled.build_text("FROM scratch\nCOPY data.csv /agent/data/\n")
    assert kinds(filled, built) == ["files", "interface"]
    assert "agent/config.json" not in filled.tree(built)


def test_configuration_and_definition_are_files_and_in_the_config(filled: Workshop) -> None:
    built = filled.build_text(EVERYTHING)
    definition = text_of(filled, built, "agent/definition.json")
    assert definition == filled.image(built).definition
    assert definition["metadata"] == {"name": "everything", "version": "1.2.0"}
    behavior = definition["spec"]["behavior"]
    assert text_of(filled, built, "agent/config.json") == {"behavior": behavior}
    assert behavior["memory"]["level"] == "SMART"


def test_the_config_says_how_it_runs(filled: Workshop) -> None:
    config = filled.image(filled.build_text(EVERYTHING)).config
    assert config.env == ("A=1", "B=two words")
    assert config.entrypoint == ("python3", "tools/run.py")
    assert config.working_dir == "/agent"
    assert config.labels == {"team": "blue", "org.opencontainers.image.version": "1.2"}
    assert config.agentoci["format"] == 1
    assert config.agentoci["healthcheck"] == {
        "command": ["check"],
        "interval_seconds": 30,
        "timeout_seconds": None,
        "retries": None,
        "start_period_seconds": None,
    }


def test_history_has_an_entry_for_every_layer_and_step(filled: Workshop) -> None:
    config = filled.image(filled.build_text(EVERYTHING)).config
    layers = [entry.created_by for entry in config.history if not entry.empty_layer]
    assert layers == [
        "COPY learned/ /agent/learned/",
        "COPY data.csv /agent/data/",
        "COPY knowledge/ /agent/knowledge/",
        "COPY tools/ /agent/tools/",
        "tool bindings",
        "configuration",
        "interface",
    ]
    assert len(config.history) == len(layers) + 9 - 1
    assert len(config.diff_ids) == len(layers)


def test_annotations_name_agent_version_and_base(filled: Workshop) -> None:
    base = filled.build_text(EVERYTHING, "base:1")
    made = filled.image(base).manifest.annotations
    prefix = "org.opencontainers.image"
    assert made[f"{prefix}.title"] == "everything"
    assert made[f"{prefix}.version"] == "1.2.0"
    text = (
        "FROM base:1\nINTERFACE mine\n"
        f"LABEL {prefix}.title=Mine {prefix}.source=https://x.example/y team=red\n"
    )
    made = filled.image(filled.build_text(text)).manifest.annotations
    assert made[f"{prefix}.title"] == "Mine"
    assert made[f"{prefix}.source"] == "https://x.example/y"
    assert made[f"{prefix}.base.name"] == "base:1"
    assert made[f"{prefix}.base.digest"] == str(base.root.digest)
    assert "team" not in made
    assert "0.0.0" not in made.values()


def test_the_inventory_is_what_unpacks(filled: Workshop, tmp_path: Any) -> None:
    filled.write("knowledge/huge.bin", random.Random(1).randbytes(9 * MIB))
    built = filled.build_text(EVERYTHING)
    image, store = filled.image(built), filled.engine.store
    inventory = image.inventory(store)
    unpack_image(image.packed_layers(store), tmp_path / "tree", inventory=inventory)
    seen = set()
    for entry in inventory.entries:
        path = tmp_path / "tree" / entry.path
        seen.add(entry.path)
        if entry.link is not None:
            assert str(path.readlink()) == entry.link
            continue
        body = path.read_bytes()
        assert entry.size == len(body)
        assert entry.mode & 0o111 == path.stat().st_mode & 0o111
        if entry.path.endswith("huge.bin"):
            assert entry.sha256 is None, "its layer's diff_id covers it"
            assert entry.layer == 2, "it stands alone, before the small ones"
        else:
            assert entry.sha256 == hashlib.sha256(body).hexdigest()
    on_disk = {str(p.relative_to(tmp_path / "tree")) for p in (tmp_path / "tree").rglob("*")}
    files = {path for path in on_disk if not (tmp_path / "tree" / path).is_dir()}
    assert files == seen | {"agent/files.json"}


def test_layers_of_the_base_come_by_digest(filled: Workshop) -> None:
    base = filled.image(filled.build_text(EVERYTHING, "base:1"))
    (filled.context / "knowledge/a.md").write_text("changed, and not copied again")
    built = filled.build_text("FROM base:1\nCOPY data.csv /agent/more/\nREQUIRE extra\n")
    image = filled.image(built)
    count = len(base.manifest.layers)
    assert image.manifest.layers[:count] == base.manifest.layers
    assert image.config.diff_ids[:count] == base.config.diff_ids
    assert kinds(filled, built)[count:] == ["files", "tools", "config", "interface"]
    names = [r["name"] for r in text_of(filled, built, "agent/tools/bindings.json")["tools"]]
    assert names == ["psm_generator", "debug_agent", "extra"]


def test_what_a_stage_changes_of_its_base(filled: Workshop) -> None:
    filled.build_text(EVERYTHING, "base:1")
    config = filled.image(
        filled.build_text(
            "FROM base:1\nENV B=2 C=3\nLABEL team=red\nREQUIRE psm_generator:2.0\n"
            "HEALTHCHECK NONE\nENTRYPOINT []\nSET memory.level=BASIC\n"
        )
    ).config
    assert config.env == ("A=1", "B=2", "C=3")
    assert config.labels["team"] == "red"
    assert config.entrypoint == ()
    assert "healthcheck" not in config.agentoci
    definition: Any = config.agentoci["definition"]
    assert definition["spec"]["behavior"]["memory"]["level"] == "BASIC"
    versions = {t["name"]: t["version"] for t in definition["spec"]["requires"]["tools"]}
    assert versions == {"psm_generator": "2.0", "debug_agent": ">=1.0"}


def test_an_image_without_any_copy_has_an_interface(workshop: Workshop) -> None:
    built = workshop.build_text("FROM scratch\nINTERFACE nothing_but_a_name\n")
    assert kinds(workshop, built) == ["interface"]
    assert set(workshop.tree(built)) == {"agent/definition.json", "agent/files.json"}


def test_steps_are_told_in_order_with_their_layers(filled: Workshop) -> None:
    built = filled.build_text(EVERYTHING)
    steps = [(step.number, step.total, step.text) for step, _ in filled.told.steps]
    lines = EVERYTHING.splitlines()
    assert steps[:5] == [(n, len(steps), line) for n, line in enumerate(lines[:5], 1)]
    assert [number for number, _, _ in steps] == list(range(1, len(steps) + 1))
    told = [layer.desc.digest for _, layers in filled.told.steps for layer in layers]
    assert set(told) < {layer.desc.digest for layer in built.layers}
    assert [layer.file_count for layer in built.layers] == [1, 1, 2, 1, 1, 1, 2]


def test_warnings_name_what_is_not_there(filled: Workshop) -> None:
    filled.build_text("FROM scratch\nINTERFACE debug_agent\n", "debug_agent:1.1")
    filled.build_text(EVERYTHING)
    (warning,) = filled.told.warnings
    assert warning.endswith("Agentfile:6: nothing here satisfies psm_generator 1.0")
    filled.build_text("FROM scratch\nREQUIRE --optional spare_agent:2\n")
    (optional,) = filled.told.warnings[:1]
    assert optional.endswith("nothing here satisfies spare_agent 2, which is optional")
    filled.build_text("FROM scratch\nINTERFACE x\n", "psm_generator:1.0.3")
    filled.build_text(EVERYTHING)
    assert filled.told.warnings == []
    filled.build_text("FROM scratch\nINTERFACE unversioned\n")
    assert "no version declared" in filled.told.warnings[0]


def test_a_plan_shows_layers_and_writes_no_image(filled: Workshop) -> None:
    filled.agentfile(
        "FROM scratch AS one\nINTERFACE x\nFROM one\nCOPY knowledge /agent/knowledge/\n"
        "COPY data.csv /agent/data/\n"
    )
    engine = filled.engine
    from agentoci.api.builds import BuildOptions

    plans = engine.builds.plan(filled.context, BuildOptions())
    assert [(str(p.kind), p.file_count, p.size) for p in plans] == [
        ("knowledge", 2, 1),
        ("files", 1, 3),
    ]
    assert filled.names() == []
    assert not list((filled.home / "store/blobs/sha256").iterdir())


def test_a_plan_cannot_see_into_stages(filled: Workshop) -> None:
    from agentoci.api.builds import BuildOptions

    filled.agentfile("FROM scratch AS one\nFROM scratch\nCOPY --from=one /agent /agent/x/\n")
    with pytest.raises(Invalid, match="cannot plan COPY --from=STAGE") as caught:
        filled.engine.builds.plan(filled.context, BuildOptions())
    assert caught.value.hint


def test_a_build_without_a_tag_is_held_by_its_digest(filled: Workshop) -> None:
    from agentoci.api.builds import BuildOptions

    filled.agentfile("FROM scratch\nCOPY data.csv /agent/data/\n")
    for _ in range(2):
        built = filled.engine.builds.build(filled.context, BuildOptions())
        assert (built.name, filled.names()) == ("agent", [])
        (entry,) = filled.engine.store.index.read()
        assert entry.digest == built.root.digest


def test_an_image_profile_stays_as_it_is(filled: Workshop) -> None:
    store = filled.engine.writable_store
    built = filled.build_text(EVERYTHING, profile=Profile.IMAGE)
    assert store_as_image(store, filled.image(built)) == built.root


def test_many_layers_are_refused_with_a_hint(workshop: Workshop) -> None:
    copies = "".join(f"COPY <<x /agent/{number}\nhello\nx\n" for number in range(127))
    with pytest.raises(TooManyLayers, match="128 layers, the most is 127") as caught:
        workshop.build_text(f"FROM scratch\n{copies}")
    assert caught.value.hint
    assert workshop.names() == []


@pytest.mark.slow
def test_many_huge_files_still_make_an_image(workshop: Workshop) -> None:
    for number in range(130):
        with workshop.write(f"in/{number:03d}.bin", b"").open("wb") as stream:
            stream.truncate(8 * MIB + 1)
    built = workshop.build_text("FROM scratch\nCOPY in /agent/knowledge/\n")
    assert len(built.layers) < 60
    assert len(workshop.inventory(built).entries) == 131


def test_the_config_is_small_and_canonical(filled: Workshop) -> None:
    image = filled.image(filled.build_text(EVERYTHING))
    raw = fetch_bytes(filled.engine.store, image.manifest.config, limit=10**6)
    assert json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":")).encode() == raw
