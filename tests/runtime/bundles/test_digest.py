"""SHA-256 without OpenSSL."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.bundles.digest import sha256, sha256_of


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 1000])
def test_it_is_sha_256(content: bytes) -> None:
    expected = hashlib.sha256(content).hexdigest()
    assert sha256(content).hexdigest() == sha256_of(content) == expected


def test_serving_loads_no_openssl(bundle: Path) -> None:
    code = f"import sys, runtime.cli; from runtime import Classifier; Classifier({str(bundle)!r}).classify('酸')"
    check = "; print([name for name in ('_hashlib', '_ssl') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_python_without_its_own_code_takes_openssl() -> None:
    code = "import sys; sys.modules['_sha2'] = sys.modules['_sha256'] = None; from runtime.bundles.digest import sha256"
    done = subprocess.run(
        [sys.executable, "-c", code + "; print(sha256.__module__, sha256.__name__)"], capture_output=True, text=True
    )
    assert done.stdout == "_hashlib openssl_sha256\n", done.stderr
