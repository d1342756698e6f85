"""What must not be in an image, or hides in its text: secrets, hidden Unicode, injected prompts.

Pure functions over bytes. `content.scan_content` is the way in; `names.name_finding` looks at file
names. The way of a secret: `runs` (pre-filter) → `secrets` (literals, then the patterns of `tokens`
and `keyed`) → `judging` (entropy, placeholders).

May import `_internal`, `errors`.
"""
