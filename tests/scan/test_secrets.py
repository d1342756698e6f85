"""Every rule finds its keys, wherever they stand, and nothing shows the key itself."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoci.scan.content import OVERLAP, WINDOW, scan_content, without_secrets
from agentoci.scan.findings import Finding
from agentoci.scan.keyed import KEYED
from agentoci.scan.tokens import TOKENS
from tests.scan.keys import BASE64, Forge, named, tokens

KEYS = tokens(Forge())
NAMED = named(Forge())

FORMS = {
    "alone": "{}",
    "in a sentence": "The key is {}, do not lose it.",
    "in JSON": '{{"value": "{}", "x": 1}}',
    "in an environment": "line\nVALUE={}\nmore",
    "in code": "    client = Client('{}')  # here",
    "in a URL": "https://api.internal/v1?k={}&x=1",
    "in a header": "curl -H 'Authorization: Bearer {}' https://api.internal",
    "in a table": "| name | {} |",
}


def rules_of(content: str | bytes, path: str = "a.txt") -> list[str]:
    raw = content if isinstance(content, bytes) else content.encode()
    return [finding.rule.removeprefix("secret/") for finding in scan_content(path, raw)]


def test_every_rule_has_at_least_three_samples() -> None:
    count = Counter(rule for rule, _ in (*KEYS, *NAMED))
    assert set(count) == {rule.id for rule in (*TOKENS, *KEYED)}
    assert {rule: n for rule, n in count.items() if n < 3} == {}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_keys_are_found_in_every_form(form: str) -> None:
    missed = [(rule, key[:6]) for rule, key in KEYS if rules_of(form.format(key)) != [rule]]
    assert missed == []


def test_secrets_with_a_name_are_found() -> None:
    missed = [(rule, text) for rule, text in NAMED if rules_of(f"x\n{text} \nx") != [rule]]
    assert missed == []


@pytest.mark.parametrize("seed", range(20))
def test_other_keys_of_the_same_forms_are_found(seed: int) -> None:
    """By the rule or, once in a while, by none: chance also makes keys that look like words."""
    forge = Forge(seed)
    pairs = [*tokens(forge), *named(forge)]
    missed = [rule for rule, text in pairs if rule not in rules_of(f"x\n{text}\n")]
    assert len(missed) <= 1, missed


def test_nothing_shows_the_secret() -> None:
    for rule, key in KEYS:
        [finding] = scan_content("a", key.encode())
        assert not any(key[n : n + 6] in repr(finding) for n in range(12, len(key) - 6)), rule
        assert key[-3:] not in finding.message, rule


def test_a_short_secret_shows_one_character() -> None:
    [finding] = scan_content("a", b'password = "hunter' + b'2x9"')
    assert "hunter" not in repr(finding)
    assert "h…" in finding.message


def test_the_place_is_that_of_an_editor() -> None:
    key = KEYS[0][1]
    text = f"Größe 你好 {key}\nsecond\n\tthird é {KEYS[20][1]} end\n"
    first, second = scan_content("notes/a.md", text.encode())
    assert (first.path, first.line, first.column, first.width) == ("notes/a.md", 1, 10, len(key))
    assert (second.line, second.column) == (3, 10)


# Ids


def test_the_id_stays_when_lines_move_and_is_another_for_another_file_or_key() -> None:
    key, other = KEYS[0][1], KEYS[1][1]

    def only(path: str, text: str) -> Finding:
        [finding] = scan_content(path, text.encode())
        return finding

    here = only("a.md", key)
    assert here.id == only("a.md", f"one\ntwo\n  {key}.\n").id
    assert len({here.id, only("b.md", key).id, only("a.md", other).id}) == 3
    assert len(here.id) == 12
    assert int(here.id, 16) >= 0


def test_the_same_key_twice_is_one_finding() -> None:
    key = KEYS[0][1]
    [finding] = scan_content("a.md", f"{key}\n\n  {key}\n".encode())
    assert (finding.line, finding.again) == (1, "also at 3:3")
    assert finding.told == f"{finding.message}, also at 3:3"
    [finding] = scan_content("a.md", f"{key}\n".encode())
    assert (finding.again, finding.told) == ("", finding.message)


def test_a_key_in_many_places_is_told_without_end_in_sight() -> None:
    """In pieces as in one, and no place twice where windows overlap."""
    key = KEYS[0][1]
    lines = [key if number % 1000 == 0 else "words of all kinds" for number in range(40_000)]
    text = "\n".join(lines).encode()
    pieces = [text[at : at + 100_003] for at in range(0, len(text), 100_003)]
    for content in (text, pieces):
        [finding] = scan_content("a.md", content)
        places = "1001:1, 2001:1, 3001:1, 4001:1, 5001:1"
        assert (finding.line, finding.again) == (1, f"also at {places} and 34 more places")


def test_a_file_full_of_keys_has_a_bound_and_says_so() -> None:
    forge = Forge()
    text = "\n".join("ghp" + "_" + forge.text(36) for _ in range(300))
    found = scan_content("dump.txt", text.encode())
    assert len(found) == 101
    assert [f.rule for f in found if f.rule.endswith("too-many")] == ["secret/too-many"]


# Binary and large files


def test_a_binary_file_is_searched_for_keys_with_a_form_only() -> None:
    forge = Forge(1)
    noise = bytes(itertools.islice(itertools.cycle(range(256)), 5000))
    for rule, key in tokens(forge):
        content = noise + b"\0" + key.encode() + b"\0" + noise
        longest = max(map(len, key.replace(".", ":").split(":")))
        expected = [rule] if longest >= 30 else rules_of(content)
        assert rules_of(content) == expected, rule
    password = noise + f'\0password = "{forge.text(12)}"\0'.encode()
    assert rules_of(password) == []


@pytest.mark.parametrize("offset", range(7))
def test_a_key_is_found_at_any_offset_of_a_binary_file(offset: int) -> None:
    key = KEYS[0][1].encode()
    [finding] = scan_content("m.bin", b"\xff" * (1000 + offset) + b"\0" + key + b"\0\xff")
    assert (finding.line, finding.column) == (1, 1002 + offset)


@given(st.binary(max_size=2000), st.integers(0, 40), st.booleans())
def test_any_bytes_around_a_key_hide_nothing(noise: bytes, at: int, binary: bool) -> None:
    key = ("ghp" + "_" + Forge().text(36)).encode()
    head = b"\0" if binary else b"text\n"
    content = head + noise[:at] + b" " + key + b" " + noise[at:]
    assert "secret/github-token" in {finding.rule for finding in scan_content("a", content)}


@given(st.data())
def test_pieces_give_what_the_whole_gives(data: st.DataObject) -> None:
    forge = Forge(data.draw(st.integers(0, 5)))
    lines = [f"{word}\n" for _, word in data.draw(st.permutations(tokens(forge)[:40]))]
    filler = "some prose that nobody would call a key, line after line\n"
    text = "".join(line + filler * data.draw(st.integers(0, 30)) for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    assert scan_content("a", iter(pieces)) == scan_content("a", text)


def test_keys_on_the_borders_of_windows_are_found_once_each() -> None:
    forge = Forge()
    filler = ("prose " * 10 + "\n").encode()
    near = {1: -20, 2: 0, 3: 5}
    spots = [WINDOW * n + s for n in near for s in (-OVERLAP, -OVERLAP // 2, near[n], OVERLAP)]
    content = bytearray(filler * (6 * WINDOW // len(filler)))
    for at in spots:
        key = b" " + ("ghp" + "_" + forge.text(36)).encode() + b" "
        content[at : at + len(key)] = key
    for chunk in (4096, WINDOW, 3 * WINDOW, len(content)):
        pieces = [bytes(content[i : i + chunk]) for i in range(0, len(content), chunk)]
        found = scan_content("big.txt", iter(pieces))
        assert [f.line for f in found] == [
            content.count(b"\n", 0, at + 1) + 1 for at in sorted(spots)
        ], chunk


def test_text_in_utf_16_is_read() -> None:
    key = KEYS[0][1]
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        mark = "" if encoding == "utf-16" else "\ufeff"
        assert rules_of((mark + f"x\n{key}\n").encode(encoding)) == ["openai-key"]


# What is no secret


@pytest.mark.parametrize(
    "text",
    [
        "OPENAI_API_KEY=sk-" + "x" * 40,
        "OPENAI_API_KEY=sk-your-key-goes-here-please-replace",
        "key: sk-" + "proj-" + "<your key>" + "a" * 30,
        "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        'password = "changeme"',
        'password = "correct-horse-battery-staple"',
        'password = os.environ["DB_PASSWORD"]',
        'api_key = "${OPENAI_API_KEY}"',
        'api_key = "{{ secrets.KEY1 }}"',
        'token: "env:GITHUB_TOKEN_2"',
        'secret = "<the secret 123>"',
        'secret_name = "prod-database-credentials-7"',
        "token = get_token(user_id=42)",
        "max_tokens: 4096",
        "tokens=1234567890123456",
        'tokenizer = "cl100k_base_v2_tokenizer"',
        "private_key: Ed25519PrivateKey",
        'NextToken: "9d624e0c-388b-4862-a31e-a85c64fc1d4a"',
        "https://user:password@example.com/path",
        "https://user:hunter2" + "secret9@example.org/path",
        "postgres://postgres:postgres@localhost/db",
        "ssh://git@github.com:22/team/repo.git",
        "http://[::1]:8080/a:b@c",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEm0PpZ3nJbZ4aGmTnH1zX\n",
        "-----BEGIN PRIVATE" + " KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGnQW0b5wq9v0oGmTnH1zXm0PpZ3nJbZ4aGmTnH1zX me@host",
        "test_a_very_long_function_name_with_2_numbers_in_it",
        "sk-learn-contrib-package-name-which-is-long",
        "glpat-" + "x" * 20,
        "task-4f0c1d2e-sk-" + "0" * 32,
    ],
)
def test_placeholders_and_look_alikes_are_left_alone(text: str) -> None:
    assert rules_of(f"before\n{text}\nafter") == []


def test_a_key_in_the_middle_of_a_longer_word_is_none() -> None:
    blob = Forge(3).text(400, BASE64)
    assert rules_of(f"{blob}AKIA{Forge(4).text(16, 'ABCDEFGH234567')}{blob}") == []


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_can_be_scanned_and_redacted(text: str) -> None:
    assert rules_of(without_secrets(text)) == []


def test_a_log_line_shows_the_beginning_of_a_key_only() -> None:
    key = KEYS[0][1]
    assert without_secrets(f"ENV A={key} B=1") == f"ENV A={key[:4]}…{key[-2:]} B=1"
