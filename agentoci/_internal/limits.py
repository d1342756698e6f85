"""Named ceilings for everything that a server, an archive or a file of somebody else drives."""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

MAX_MANIFEST_BYTES: Final = 4 * MIB
"""Registries refuse larger manifests (docker-registry and distribution answer 400 at 5 MiB)."""

MAX_CONFIG_BYTES: Final = 8 * MIB
"""A config blob holds the definition and one history entry per layer; this leaves ample room."""

MAX_INDEX_FILE_BYTES: Final = 64 * MIB
"""A local layout's `index.json`: about 100,000 entries."""

MAX_JSON_DEPTH: Final = 64
"""Nesting of any JSON document that we read; deeper ones are built to exhaust the stack."""

MAX_ERROR_BODY_BYTES: Final = 64 * KIB
"""Of an error answer, only the start is of use."""

MAX_TOKEN_BODY_BYTES: Final = MIB
"""A token answer; real ones are a few KiB."""

MAX_LAYERS: Final = 127
"""Of an agent image: image tools (overlay mounts) stop here; the builder stays below 100."""

MAX_MANIFEST_LAYERS: Final = 10_000
"""Of any manifest: artifacts of files have a layer for each, and 4 MiB hold about twice as many."""

MAX_INDEX_DEPTH: Final = 8
"""Indexes within indexes."""

MAX_GRAPH_NODES: Final = 10_000
"""Manifests reachable from one reference; a cycle or a bomb ends here."""

MAX_GRAPH_BYTES: Final = 256 * MIB
"""Of all those manifests together; they are held in memory, and real ones have 2 KiB each."""

MAX_ARCHIVE_MEMBERS: Final = 200_000
"""Entries of a layout archive that is read at random; where each lies is held in memory."""

MAX_REFERRERS: Final = 5_000
"""Manifests that speak of one image, of its signatures, and so on; a bomb ends here."""

MAX_REFERRER_PAGES: Final = 100
"""Pages of one list of referrers; real lists have one."""

MAX_ATTACHED_FILES: Final = 100
"""Files of one attachment: image tools stop at 127 layers."""

MAX_ATTACHED_BYTES: Final = GIB
"""One attached file; what is larger is content, not a word about content."""

MAX_LIST_PAGE_BYTES: Final = 32 * MIB
"""One page of a registry's list: docker-registry 2.8 sends 100,000 tags as a single one."""

MAX_LIST_PAGES: Final = 10_000
"""Pages of one list; registries give 50 to 1,000 names on each."""

MAX_LISTED_NAMES: Final = 1_000_000
"""Tags or repositories of one list; they are held in memory."""

MAX_REMOTE_MANIFESTS: Final = 200_000
"""Manifests of one repository that pruning reads; what hangs on what is held in memory."""

MAX_REDIRECTS: Final = 5
"""Blob redirects: registry to object store, rarely a second hop."""

MAX_ANSWER_LINES: Final = 1000
"""Lines before an answer's body, or between two pieces of it; a dozen headers, and what of the 1xx
kind comes each second before them."""

MAX_DEFINITION_BYTES: Final = 256 * KIB
"""An `.agentdef`; large ones are built to exhaust the YAML reader."""

MAX_YAML_DEPTH: Final = 32
"""Nesting of a YAML file of the user's."""

MAX_ANCESTORS: Final = 64
"""Definitions that one is merged from; each may be a file or an image of somebody else."""

MAX_LINEAGE: Final = 1_000
"""Entries of an image's lineage: each base adds an Agentfile's, and those of its ancestors."""

MAX_LINEAGE_WORK: Final = 2_000_000
"""Entries of a lineage times the values of all: laying each over those before costs as much."""

MAX_AGENTFILE_BYTES: Final = MIB
"""An Agentfile with heredocs."""

MAX_TAR_HEADER_BYTES: Final = MIB
"""PAX and long-name records of one entry; tar readers buffer them whole."""

MAX_TAR_ENTRIES: Final = 1_000_000
"""Entries of one layer."""

MAX_TAR_NAME_BYTES: Final = 64 * MIB
"""All names and link targets of one image together; they are held in memory."""

MAX_PATH_BYTES: Final = 4095
"""One path in an image; Linux opens no longer ones."""

MAX_NAME_BYTES: Final = 255
"""One part of a path; no common file system takes more."""

MAX_PATH_DEPTH: Final = 128
"""Parts of a path; tools that walk a tree by recursion fail somewhere above."""

MAX_INVENTORY_BYTES: Final = 64 * MIB
"""An image's `agent/files.json`: about 400,000 files."""

MAX_ZSTD_WINDOW_BYTES: Final = 128 * MIB
"""What a zstd frame may ask the reader to keep in memory: the most that `zstd -22` asks."""

MAX_UNPACKED_BYTES: Final = 256 * GIB
"""Bytes that one layer may unpack to."""

MAX_EXPANSION_RATIO: Final = 200
"""Unpacked to packed; text reaches 20, only bombs reach this (checked beyond 64 MiB)."""

FREE_EXPANSION_BYTES: Final = 64 * MIB
"""What a layer may always unpack to, however small its packed form is."""

MAX_SKILL_BYTES: Final = 256 * MIB
"""The layers of an artifact that skills are taken from: these are texts, scripts and templates."""

MAX_SKILL_UNPACKED: Final = GIB
"""All layers of such an artifact unpacked: each may hold far more than its packed form."""

COPY_BUFFER: Final = 256 * KIB
"""File to file; larger buffers fall out of the cache and cost a fifth more."""

NETWORK_BUFFER: Final = MIB
"""Socket reads; 8 KiB reads cost three times the CPU."""

MAX_SEARCH_INDEX_BYTES: Final = 16 * MIB
"""A search index: about 30,000 agents with their annotations."""

MAX_SEARCH_INDEX_ENTRIES: Final = 50_000
"""Agents in one search index."""

MAX_SEARCH_ANSWER_BYTES: Final = 4 * MIB
"""What a search API answers; a page of a hundred repositories is 100 KiB."""

MAX_SEARCH_CANDIDATES: Final = 100
"""Repositories of one registry whose tags and manifests one search looks at."""
