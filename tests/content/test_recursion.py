"""Recursive copies: whatever speaks of an image comes with it, and nothing else does."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentoci._internal import limits
from agentoci._internal.clock import SystemClock
from agentoci.content.copy import CopyOptions, copy
from agentoci.content.graph import GraphTooLarge, fetch_manifest, walk
from agentoci.content.memory import MemoryTarget
from agentoci.content.protocols import (
    ContentNotFound,
    ReadableTarget,
    Reader,
    ReferrerLister,
    Target,
)
from agentoci.content.recursion import (
    Neighbours,
    RecursionOptions,
    copy_with_attachments,
    find_attachments,
)
from agentoci.registry.client import ClientOptions, RegistryClient
from agentoci.spec import mediatypes
from agentoci.spec.descriptor import EMPTY, EMPTY_CONTENT, Descriptor
from agentoci.spec.digest import Digest
from agentoci.spec.manifest import Index, Manifest
from agentoci.spec.reference import Reference
from agentoci.store.archivefile import ArchiveFile, writing_archive
from agentoci.store.layout import LayoutStore
from tests.content.graphs import artifacts, contents, put, put_image, put_manifest
from tests.registries import Registry
from tests.registry.fake import FakeRegistry

KINDS = ["memory", "layout", "archive", "registry", "old registry"]
ONE_WORKER = CopyOptions(workers=1)


class Listing(ReadableTarget, ReferrerLister, Protocol):
    """What recursive copies read."""


class Place(Protocol):
    """Where content is kept: it can be written, and then read."""

    def writing(self) -> AbstractContextManager[Target]: ...

    def reading(self) -> AbstractContextManager[Listing]: ...


class Standing:
    """A target that is there all the time."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def writing(self) -> AbstractContextManager[Target]:
        return contextlib.nullcontext(self._target)

    def reading(self) -> AbstractContextManager[Listing]:
        assert isinstance(self._target, ReferrerLister)
        return contextlib.nullcontext(self._target)


class Archive:
    """A file that is written as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def writing(self) -> AbstractContextManager[Target]:
        return writing_archive(self._path)

    def reading(self) -> AbstractContextManager[Listing]:
        return ArchiveFile(self._path)


MakePlace: TypeAlias = Callable[[str, Path], Place]


@pytest.fixture(scope="module")
def make_place() -> Iterator[MakePlace]:
    """A new empty place of a kind; the registries are one of today and one without referrers."""
    with FakeRegistry() as today, FakeRegistry() as old, RegistryClient(ClientOptions()) as client:
        old.referrers = False
        hosts = {"registry": today.host, "old registry": old.host}

        def make(kind: str, folder: Path) -> Place:
            name = uuid.uuid4().hex[:12]
            if kind == "memory":
                return Standing(MemoryTarget())
            if kind == "layout":
                return Standing(LayoutStore.create(folder / name, clock=SystemClock()))
            if kind == "archive":
                return Archive(folder / name)
            host = hosts.get(kind, kind)
            return Standing(client.repository(Reference(host, name, "latest"), push=True))

        yield make


def closure(source: MemoryTarget, root: Descriptor, roots: list[Descriptor]) -> set[Digest]:
    """The manifests below a root, and those that speak of them, by another way than the code's."""
    reached: set[Digest] = set()
    fresh = [root]
    while fresh:
        reached |= {desc.digest for desc in fresh}
        below = {desc for one in fresh for desc, _ in walk(source, one).manifests}
        above = {one for one in roots if (subject := fetch_manifest(source, one).subject)
                 and subject.digest in reached | {desc.digest for desc in below}}  # fmt: skip
        fresh = [desc for desc in below | above if desc.digest not in reached]
    return reached


def check_copy(
    made: tuple[MemoryTarget, list[Descriptor]], chosen: int, source: Place, target: Place
) -> None:
    """Fill the source, copy one root recursively, and look at what arrived; then do it again."""
    memory, roots = made
    root = roots[chosen % len(roots)]
    with source.writing() as filled:
        for one in roots:
            copy(memory, one, filled, str(one.digest), options=ONE_WORKER)
    expected = closure(memory, root, roots)
    options = RecursionOptions(copying=ONE_WORKER)
    with source.reading() as src:
        with target.writing() as dst:
            done = copy_with_attachments(src, root, dst, "1.0", options=options)
        assert done.left_out == ()
        with target.reading() as dst:
            check_arrived(memory, roots, expected, dst)
            assert dst.resolve("1.0") == root
        with target.writing() as dst:
            again = copy_with_attachments(src, root, dst, "1.0", options=options)
    if not isinstance(target, Archive):
        assert (again.root.moved_blobs, [one.moved_blobs for _, one in again.attached]) == (
            0,
            [0] * len(done.attached),
        )
    with target.reading() as dst:
        back = MemoryTarget()
        copy_with_attachments(dst, root, back, "1.0", options=options)
        check_arrived(memory, roots, expected, back)


def check_arrived(
    memory: MemoryTarget, roots: list[Descriptor], expected: set[Digest], there: Listing
) -> None:
    for root in roots:
        listed = {desc.digest for desc in there.referrers(root)}
        if root.digest in expected:
            assert contents(there, root) == contents(memory, root)
            assert listed == {desc.digest for desc in memory.referrers(root)}
        else:
            with pytest.raises(ContentNotFound):
                contents(there, root)


@pytest.mark.parametrize("target_kind", KINDS)
@pytest.mark.parametrize("source_kind", KINDS)
@given(made=artifacts(), chosen=st.integers(0, 5))
@settings(max_examples=5 if settings.get_current_profile_name() == "dev" else 60)
def test_any_graph_arrives_whole_between_any_two_targets(
    source_kind: str,
    target_kind: str,
    make_place: MakePlace,
    made: tuple[MemoryTarget, list[Descriptor]],
    chosen: int,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = make_place(source_kind, Path(folder))
        check_copy(made, chosen, source, make_place(target_kind, Path(folder)))


@pytest.mark.integration
@given(made=artifacts(), chosen=st.integers(0, 5), outward=st.booleans())
@settings(max_examples=5 if settings.get_current_profile_name() == "dev" else 40)
def test_any_graph_arrives_whole_at_a_real_registry(
    registry: Registry,
    make_place: MakePlace,
    made: tuple[MemoryTarget, list[Descriptor]],
    chosen: int,
    outward: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ends = [make_place("layout", Path(folder)), make_place(registry.host, Path(folder))]
        source, target = reversed(ends) if outward else ends
        check_copy(made, chosen, source, target)


def attach(
    target: MemoryTarget, subject: Descriptor | None, kind: str | None, *, note: str = ""
) -> Descriptor:
    """Push a manifest that speaks of another one."""
    put(target, EMPTY_CONTENT, mediatypes.OCI_EMPTY)
    manifest = Manifest.build(
        config=EMPTY,
        layers=[put(target, f"{kind} {note}".encode())],
        artifact_type=kind,
        subject=subject,
        annotations={"note": note} if note else None,
    )
    return put_manifest(target, manifest).bare()


@pytest.fixture
def source() -> MemoryTarget:
    return MemoryTarget()


@pytest.fixture
def image(source: MemoryTarget) -> Descriptor:
    return put_image(source, b"layer")


SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"


def test_referrers_of_children_and_of_referrers(source: MemoryTarget, image: Descriptor) -> None:
    index = put_manifest(source, Index.build([image]))
    of_index, of_child = attach(source, index, SIGNATURE), attach(source, image, "a/sbom")
    of_sbom = attach(source, of_child, SIGNATURE)
    found = find_attachments(source, index).found
    assert {(item.desc, item.subject) for item in found} == {
        (of_index, index),
        (of_child, image),
        (of_sbom, of_child),
    }
    assert found[-1].desc == of_sbom


def test_checkpoints_stay_unless_asked_for(source: MemoryTarget, image: Descriptor) -> None:
    checkpoint = attach(source, image, mediatypes.CHECKPOINT)
    signature = attach(source, image, SIGNATURE)
    of_checkpoint = attach(source, checkpoint, SIGNATURE)
    dst, all_of_it = MemoryTarget(), MemoryTarget()
    done = copy_with_attachments(source, image, dst, "1.0")
    assert [item.desc for item, _ in done.attached] == [signature]
    assert [(one.attachment.desc, "checkpoint" in one.reason) for one in done.left_out] == [
        (checkpoint, True)
    ]
    assert not dst.exists(checkpoint)
    assert not dst.exists(of_checkpoint)
    copy_with_attachments(
        source, image, all_of_it, "1.0", options=RecursionOptions(checkpoints=True)
    )
    assert all_of_it.exists(checkpoint)
    assert all_of_it.exists(of_checkpoint)


def test_a_checkpoint_is_known_by_its_config_where_lists_are_silent(
    source: MemoryTarget, image: Descriptor
) -> None:
    config = put(source, b"{}", mediatypes.INSTANCE)
    manifest = Manifest.build(config=config, layers=[], subject=image)
    checkpoint = put_manifest(source, manifest)

    class Silent(MemoryTarget):
        def referrers(
            self, subject: Descriptor, *, artifact_type: str | None = None
        ) -> tuple[Descriptor, ...]:
            return tuple(desc.bare() for desc in super().referrers(subject))

    silent = Silent()
    silent.__dict__.update(source.__dict__)
    left_out = find_attachments(silent, image).left_out
    assert [one.attachment.desc for one in left_out] == [checkpoint]


def test_the_checkpoint_itself_is_copied_when_it_is_named(
    source: MemoryTarget, image: Descriptor
) -> None:
    checkpoint = attach(source, image, mediatypes.CHECKPOINT)
    dst = MemoryTarget()
    copy_with_attachments(source, checkpoint, dst, "saved")
    assert dst.resolve("saved") == checkpoint
    assert not dst.exists(image)


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom"])
@pytest.mark.parametrize(
    ("there", "here"), [("", "bot:"), ("team/bot:", ""), ("host:5000/bot:", "bot:")]
)
def test_cosigns_tags_come_along(
    suffix: str, there: str, here: str, source: MemoryTarget, image: Descriptor
) -> None:
    tag = f"sha256-{image.digest.hex}{suffix}"
    signature = attach(source, None, None, note="signed")
    source.tag(signature, f"{there}{tag}")
    options = RecursionOptions(
        beside_source=Neighbours.of(f"{there}1.0"), beside_target=Neighbours.of(f"{here}2.0")
    )
    dst = MemoryTarget()
    done = copy_with_attachments(source, image, dst, f"{here}2.0", options=options)
    assert [(item.desc, item.tag) for item, _ in done.attached] == [(signature, tag)]
    assert dst.resolve(f"{here}{tag}") == signature


def test_a_name_that_is_known_to_be_missing_is_not_asked_for(
    source: MemoryTarget, image: Descriptor
) -> None:
    source.tag(attach(source, None, None), f"sha256-{image.digest.hex}.sig")
    nothing_known = RecursionOptions(beside_source=Neighbours(known=frozenset({"1.0"})))
    assert find_attachments(source, image, options=nothing_known).found == ()


def test_the_neighbours_of_a_digest_are_bare_tags() -> None:
    digest = str(Digest.of(b"x"))
    assert [Neighbours.of(name).prefix for name in (digest, "1.0", "bot:1.0", "h:5000/b")] == [
        "",
        "",
        "bot:",
        "",
    ]


class Tracing(MemoryTarget):
    """Remembers the order of names."""

    def __init__(self) -> None:
        super().__init__()
        self.named: list[str] = []

    def tag(self, desc: Descriptor, name: str) -> None:
        super().tag(desc, name)
        self.named.append(name)


def test_the_name_comes_last(source: MemoryTarget, image: Descriptor) -> None:
    signature = attach(source, image, SIGNATURE)
    dst = Tracing()
    copy_with_attachments(source, image, dst, "1.0")
    assert dst.named == [str(image.digest), str(signature.digest), "1.0"]


def test_an_error_in_a_signature_leaves_the_name_alone(
    source: MemoryTarget, image: Descriptor
) -> None:
    attach(source, image, SIGNATURE)
    del source._content[Digest.of(f"{SIGNATURE} ".encode())]
    dst = MemoryTarget()
    with pytest.raises(ContentNotFound):
        copy_with_attachments(source, image, dst, "1.0")
    with pytest.raises(ContentNotFound):
        dst.resolve("1.0")


def test_what_is_listed_but_gone_is_left_out(source: MemoryTarget, image: Descriptor) -> None:
    signature = attach(source, image, SIGNATURE)
    del source._content[signature.digest]
    dst = MemoryTarget()
    done = copy_with_attachments(source, image, dst, "1.0")
    assert [(one.attachment.desc, one.reason) for one in done.left_out] == [
        (signature, "it is listed, but not there")
    ]
    assert dst.resolve("1.0") == image


def test_what_is_listed_twice_comes_once(source: MemoryTarget, image: Descriptor) -> None:
    signature = attach(source, image, SIGNATURE)

    class Stuttering(MemoryTarget):
        def referrers(
            self, subject: Descriptor, *, artifact_type: str | None = None
        ) -> tuple[Descriptor, ...]:
            return super().referrers(subject) * 2

    stuttering = Stuttering()
    stuttering.__dict__.update(source.__dict__)
    assert [item.desc for item in find_attachments(stuttering, image).found] == [signature]


def test_what_is_gone_before_its_type_is_known(source: MemoryTarget, image: Descriptor) -> None:
    signature = attach(source, image, SIGNATURE)
    source._referrers[image.digest][signature.digest] = signature
    del source._content[signature.digest]
    found = find_attachments(source, image)
    assert (found.found, [one.reason for one in found.left_out]) == (
        (),
        ["it is listed, but not there"],
    )


def test_what_the_target_has_but_does_not_list_is_pushed_again(
    source: MemoryTarget, image: Descriptor
) -> None:
    signature = attach(source, image, SIGNATURE)
    dst = MemoryTarget()
    copy_with_attachments(source, image, dst, "1.0")
    dst._referrers.clear()
    dst._content.pop(signature.digest)
    copy_with_attachments(source, image, dst, "1.0")
    assert [desc.digest for desc in dst.referrers(image)] == [signature.digest]


class Cyclic(MemoryTarget):
    """Lists two manifests as speaking of each other, which digests make impossible."""

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        return tuple(
            Descriptor(desc.media_type, desc.digest, desc.size, artifact_type=SIGNATURE)
            for desc in self._names.values()
            if desc.digest != subject.digest
        )


def test_a_cycle_ends() -> None:
    source = Cyclic()
    first, second = put_image(source, b"first"), put_image(source, b"second")
    for desc in (first, second):
        source.tag(desc, str(desc.digest))
    assert {item.desc for item in find_attachments(source, first).found} == {first, second}


class Endless(MemoryTarget):
    """Everything is signed, signatures included, and never the same way."""

    def referrers(
        self, subject: Descriptor, *, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        digest = Digest.of(str(subject.digest).encode())
        return (Descriptor(mediatypes.OCI_MANIFEST, digest, 100, artifact_type=SIGNATURE),)


def test_an_endless_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REFERRERS", 50)
    source = Endless()
    image = put_image(source, b"layer")
    with pytest.raises(GraphTooLarge, match="more than 50 manifests"):
        find_attachments(source, image)


def test_what_is_no_manifest_is_no_attachment(source: MemoryTarget, image: Descriptor) -> None:
    class Odd(MemoryTarget):
        def referrers(
            self, subject: Descriptor, *, artifact_type: str | None = None
        ) -> tuple[Descriptor, ...]:
            return (Descriptor.of("text/html", b"<html>"),)

    odd = Odd()
    odd.__dict__.update(source.__dict__)
    assert find_attachments(odd, image).found == ()


@contextlib.contextmanager
def plain_fetch(inner: MemoryTarget, desc: Descriptor, offset: int) -> Iterator[Reader]:
    with inner.fetch(desc, offset) as stream:
        yield stream


class Silent:
    """A target that knows nothing of referrers."""

    def __init__(self, inner: MemoryTarget) -> None:
        self._inner = inner

    def fetch(self, desc: Descriptor, offset: int = 0) -> AbstractContextManager[Reader]:
        return plain_fetch(self._inner, desc, offset)

    def resolve(self, name: str) -> Descriptor:
        return self._inner.resolve(name)


def test_a_source_without_referrers_gives_the_image(
    source: MemoryTarget, image: Descriptor
) -> None:
    attach(source, image, SIGNATURE)
    dst = MemoryTarget()
    copy_with_attachments(Silent(source), image, dst, "1.0")
    assert contents(dst, image) == contents(source, image)
