"""Addresses with a password: which are refused, and which of their parts may appear in a text."""

import pytest

from e2i_assets.adapters.addresses import shown_address, without_userinfo
from e2i_assets.core.errors import E2iError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:hunter2@dagster.example.org", "https://dagster.example.org"),
        ("https://hunter2@[::1]:3000/path/", "https://[::1]:3000/path"),
        ("http://me:hun%2Fter2@here:5000/?page=1", "http://here:5000/?page=1"),
        ("http://me:hunter@2@here", "http://here"),
    ],
)
def test_a_url_is_shown_without_userinfo(url: str, shown: str) -> None:
    assert shown_address("E2I_ANY", url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2/rest@here:5000",
        "http://me:2/hunter2@here:5000",
        "http://me:2?hunter2@here:5000",
        "http://me:2#hunter2@here:5000",
        "http://me:hunter2\uff1arest@here:5000",
        "http://me:hunter2@[::1",
        "http://me:hunter2@here:port",
        "http://me:hunter2@here:99999",
        "me:hunter2@here",
    ],
)
def test_an_invalid_url_is_rejected_without_repeating_it(url: str) -> None:
    with pytest.raises(E2iError, match=r"^E2I_ANY is not a valid address: .*as %2F") as raised:
        shown_address("E2I_ANY", url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None  # the text would repeat the port


@pytest.mark.parametrize(
    ("text", "url", "left"),
    [
        ("401 for url: http://me:hunter2@here/health", "http://me:hunter2@here", "401 for url: http://here/health"),
        ("no route to me:hun/ter2@here", "http://me:hun%2Fter2@here", "no route to here"),
        ("no password hun/ter2 here", "http://me:hun%2Fter2@here", "no password *** here"),
        ("no password hun%2Fter2 here", "http://me:hun%2Fter2@here", "no password *** here"),
        ("no database p/hunter2", "postgresql://me:p/hunter2@here/e2i?x=a@b", "no database ***"),
        ("elsewhere http://you:other@there too", "http://here", "elsewhere http://there too"),
        ('role "postgres" is none', "postgresql://postgres@here/e2i", 'role "postgres" is none'),
        ("nothing is taken out", "no address", "nothing is taken out"),
    ],
)
def test_userinfo_is_removed_from_a_text_about_a_url(text: str, url: str, left: str) -> None:
    assert without_userinfo(text, url) == left
