"""The package index and the trusted certificates, as the user has configured them for pip or for uv.

pip and uv read different settings. A machine that is set up for one of them has to work with both.
"""

import configparser
from collections.abc import Mapping
from pathlib import Path

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# pip's option, and uv's variable for the same thing.
SAME_THING = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "trusted-host": "UV_INSECURE_HOST"}


def installer_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment, with the settings of pip and of uv passed to both."""
    environment = dict(given)
    for option, uv_variable in SAME_THING.items():
        pip_variable = "PIP_" + option.upper().replace("-", "_")
        from_pip = given.get(pip_variable) or _pip_file_setting(option, given)
        from_uv = given.get(uv_variable) or given.get("UV_INDEX_URL" if option == "index-url" else uv_variable)
        if value := from_uv or from_pip:
            environment.setdefault(pip_variable, value)
            environment.setdefault(uv_variable, value)
    if SYSTEM_CERTIFICATES.exists() and "SSL_CERT_DIR" not in given:
        # A company's certificate authority is installed there, but uv does not read it by default.
        environment.setdefault("SSL_CERT_FILE", str(SYSTEM_CERTIFICATES))
        environment.setdefault("PIP_CERT", environment["SSL_CERT_FILE"])
    return environment | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_REQUIRE_VIRTUALENV": "0",  # we install into our own folder
        "PIP_USER": "0",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_PREFERENCE": "only-system",
    }


def _pip_file_setting(option: str, given: Mapping[str, str]) -> str | None:
    """Return an option from pip's configuration files; the most user-specific file has precedence, as in pip."""
    home = Path(given.get("HOME", "/nonexistent"))
    personal = Path(given.get("XDG_CONFIG_HOME", home / ".config")) / "pip" / "pip.conf"
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        personal,
        Path(given.get("PIP_CONFIG_FILE", "/dev/null")),
    ]
    parser = configparser.RawConfigParser(strict=False)
    parser.read(files)
    return parser.get("install", option, fallback=parser.get("global", option, fallback=None))
