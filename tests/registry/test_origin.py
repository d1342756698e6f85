"""Borders: where credentials and content may go."""

from __future__ import annotations

import pytest

from agentoci.registry.auth.realms import resolve_realm
from agentoci.registry.errors import InvalidRegistryConfig, UnsafeDestination
from agentoci.registry.http.origin import Origin, Reach, check_step, joined, target_of
from agentoci.registry.http.proxies import Proxies


def test_implicit_and_explicit_port_are_one_origin() -> None:
    assert Origin.of("https://Example.com/x") == Origin.of("https://example.com:443/y?z")
    assert Origin.of("https://example.com") != Origin.of("https://example.com:8443")
    assert Origin.of("http://example.com:443") != Origin.of("https://example.com")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/relative",
        "ftp://x/",
        "https://",
        "https://u:p@x/",
        "https://x:99999/",
        "https://[::1/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UnsafeDestination):
        Origin.of(url)


def test_names_of_other_alphabets_are_asked_for_in_ascii() -> None:
    assert Origin.of("https://b\u00fccher.example/").netloc == "xn--bcher-kva.example"
    with pytest.raises(UnsafeDestination):
        Origin.of(f"https://{chr(0xE9) * 80}.example/")


def test_location_is_joined_and_checked() -> None:
    assert joined("https://a.example/v2/x?y", "/z?_state=%2f") == "https://a.example/z?_state=%2f"
    assert joined("https://a.example/v2/x", "//b.example/z") == "https://b.example/z"
    with pytest.raises(UnsafeDestination, match=r"a\.example sends us to what is no URL") as caught:
        joined("https://a.example/v2/", "https://me:secret@[::1/")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("localhost", Reach.LOOPBACK),
        ("x.localhost", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.1", Reach.LOOPBACK),
        ("0x7f000001", Reach.LOOPBACK),
        ("2130706433", Reach.LOOPBACK),
        ("0.0.0.0", Reach.LOOPBACK),
        ("[::1]", Reach.LOOPBACK),
        ("[::ffff:127.0.0.1]", Reach.LOOPBACK),
        ("169.254.169.254", Reach.LINK_LOCAL),
        ("[fe80::1]", Reach.LINK_LOCAL),
        ("10.1.2.3", Reach.PRIVATE),
        ("192.168.0.1", Reach.PRIVATE),
        ("[fd00::1]", Reach.PRIVATE),
        ("8.8.8.8", Reach.PUBLIC),
        ("example.com", Reach.PUBLIC),
        ("localhost.example.com", Reach.PUBLIC),
    ],
)
def test_reach_of_a_host(host: str, reach: Reach) -> None:
    assert Origin.of(f"http://{host}:5000/").reach is reach


@pytest.mark.parametrize(
    ("start", "target", "fine"),
    [
        ("https://a.example", "https://b.example", True),
        ("https://a.example", "http://b.example", False),
        ("https://a.example", "http://a.example", False),
        ("http://a.example", "http://b.example", True),
        ("https://a.example", "https://10.0.0.5:9000", True),
        ("https://a.example", "https://127.0.0.1", False),
        ("https://a.example", "https://169.254.169.254", False),
        ("http://127.0.0.1:1", "http://127.0.0.2:2", True),
        ("http://127.0.0.1:1", "http://169.254.169.254", False),
        ("https://10.0.0.1", "https://10.0.0.2", True),
        ("https://10.0.0.1", "https://127.0.0.1", False),
    ],
)
def test_where_a_server_may_send_us(start: str, target: str, fine: bool) -> None:
    if fine:
        check_step(Origin.of(start), Origin.of(target))
    else:
        with pytest.raises(UnsafeDestination):
            check_step(Origin.of(start), Origin.of(target))


@pytest.mark.parametrize(
    ("registry", "realm", "secret", "found"),
    [
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True, True),
        ("https://gitlab.example:5050", "https://gitlab.example/jwt/auth", True, True),
        ("https://a.example", "/zot/auth/token", True, True),
        ("https://a.example", "http://a.example/token", False, False),
        ("https://a.example", "http://b.example/token", False, False),
        ("https://a.example", "https://10.0.0.1/token", False, False),
        ("https://a.example", "https://8.8.8.8/token", True, False),
        ("https://a.example", "https://8.8.8.8/token", False, True),
        ("https://10.0.0.1", "https://10.0.0.1:5001/token", True, True),
        ("https://10.0.0.1", "https://10.0.0.2/token", False, True),
        ("https://10.0.0.1", "https://10.0.0.2/token", True, False),
        ("http://lan.example:5000", "http://lan.example:5001/token", True, True),
        ("http://lan.example:5000", "https://auth.example/token", True, False),
        ("http://lan.example:5000", "https://auth.example/token", False, True),
        ("http://localhost:5000", "http://127.0.0.1:5001/token", True, True),
        ("http://localhost:5000", "http://evil.example/token", True, False),
        ("https://a.example", "https://localhost/token", False, False),
        ("https://a.example", "https://me:pw@b.example/token", False, False),
    ],
)
def test_which_token_server_is_believed(
    registry: str, realm: str, secret: bool, found: bool
) -> None:
    origin = Origin.of(registry)
    if found:
        assert resolve_realm(realm, origin, secret=secret).startswith(("http://", "https://"))
    else:
        with pytest.raises(UnsafeDestination, match="token server not trusted"):
            resolve_realm(realm, origin, secret=secret)


@pytest.mark.parametrize(
    ("bypass", "url", "through"),
    [
        ("", "https://a.example", True),
        ("*", "https://a.example", False),
        ("a.example", "https://a.example", False),
        ("a.example", "https://x.a.example", False),
        (".a.example", "https://x.a.example", False),
        ("*.a.example", "https://x.a.example", False),
        ("a.example", "https://ba.example", True),
        ("a.example:5000", "https://a.example", True),
        ("a.example:443", "https://a.example", False),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("fd00::/8", "https://[fd00::1]:5000", False),
        (" b.example , a.example ", "https://a.example", False),
        ("", "https://127.0.0.1", False),
        ("", "https://localhost:5000", False),
    ],
)
def test_which_requests_go_through_the_proxy(bypass: str, url: str, through: bool) -> None:
    proxies = Proxies(https="proxy.example:3128", bypass=bypass)
    expected = "http://proxy.example:3128" if through else None
    assert proxies.select(Origin.of(url)) == expected


def test_each_scheme_has_its_proxy() -> None:
    proxies = Proxies(http="http://one:1", https="http://two:2")
    assert proxies.select(Origin.of("http://a.example")) == "http://one:1"
    assert proxies.select(Origin.of("https://a.example")) == "http://two:2"
    assert Proxies(http="http://one:1").select(Origin.of("https://a.example")) is None


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://me:secret@p:1080", "HTTPS_PROXY has the scheme 'socks5'"),
        ("http://me:secret@", "HTTPS_PROXY is no address"),
        ("http://me:secret@[::1", "HTTPS_PROXY is no address"),
        ("http://p:99999", "HTTPS_PROXY is no address"),
    ],
)
def test_what_is_no_proxy_is_told_without_its_password(proxy: str, message: str) -> None:
    with pytest.raises(InvalidRegistryConfig, match=message) as caught:
        Proxies(https=proxy).select(Origin.of("https://a.example"))
    assert "secret" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h", "/"),
        ("https://h/", "/"),
        ("https://h?q=1", "/?q=1"),
        ("https://h:1/a%2fb%3D?_state=%2b#part", "/a%2fb%3D?_state=%2b"),
        ("https://h/a b", "/a%20b"),
        ("https://h/a\r\nb", "/a%0D%0Ab"),
        ("https://h/\xc3\xa4?\u20ac", "/%C3%A4?%E2%82%AC"),
        ("https://h/x?redirect=http://o/", "/x?redirect=http://o/"),
    ],
)
def test_addresses_are_asked_for_as_they_are_written(url: str, target: str) -> None:
    assert target_of(url) == target
