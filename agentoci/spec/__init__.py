"""Values and wire documents of OCI: digest, reference, descriptor, manifest, index, image config.

Everything is frozen, hashable where it is a value, and prints back to what it was parsed from. Wire
documents keep the bytes that they were read from: the bytes are the truth, the model is a view.
Dataclasses rather than pydantic here, because `agent images` must start as fast as `import click`.
May import `_internal` and `errors`.
"""
