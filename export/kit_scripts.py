"""What a kit's own files say: how it is installed on a machine without a network."""

from __future__ import annotations

SHELL = """\
#!/bin/sh
# Installs the classifier from this folder alone, without a network, and checks it on this machine.
#   sh install.sh [DIR]     DIR: the virtual environment to make, by default "venv" in this folder
#   PYTHON=/opt/python/bin/python3 sh install.sh     takes another Python {python}
set -eu
# What is named by its place from here is to be found from this folder too.
venv=${{1:-}}
case "$venv" in
    "" | /*) ;;
    *) venv=$PWD/$venv ;;
esac
python=${{PYTHON:-python{python}}}
case "$python" in
    /*) ;;
    */*) python=$PWD/$python ;;
esac
cd "$(dirname "$0")"
venv=${{venv:-$PWD/venv}}
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != ({version}))'; then
    echo "install.sh: these wheels are for Python {python}; name it with PYTHON=/path/to/python{python}" >&2
    exit 2
fi
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --disable-pip-version-check --no-index --find-links wheels --require-hashes \\
    --requirement requirements.txt
"$venv/bin/gm-classify" {bundle} --selftest
echo "installed; try: $venv/bin/gm-classify $PWD/{bundle} TEXT"
"""
"""``install.sh``; to be formatted with ``python``, ``version`` and ``bundle``."""

POWERSHELL = """\
# Installs the classifier from this folder alone, without a network, and checks it on this machine.
#   powershell -ExecutionPolicy Bypass -File install.ps1 [-Venv DIR] [-Python EXE]
param([string]$Venv = "venv", [string]$Python = "python")
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot

function Invoke-Checked([string]$Program, [string[]]$Arguments, [string]$Hint) {{
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) {{ throw "$Program ended with $LASTEXITCODE. $Hint" }}
}}

Invoke-Checked $Python @("-c", "import sys; sys.exit(sys.version_info[:2] != ({version}))") `
    "These wheels are for Python {python}; name it with -Python."
Invoke-Checked $Python @("-m", "venv", $Venv) ""
$Scripts = Join-Path $Venv "Scripts"
Invoke-Checked (Join-Path $Scripts "python.exe") @("-m", "pip", "install", "--disable-pip-version-check", `
    "--no-index", "--find-links", "wheels", "--require-hashes", "--requirement", "requirements.txt") ""
Invoke-Checked (Join-Path $Scripts "gm-classify.exe") @("{bundle}", "--selftest") "This device decides otherwise."
Write-Output "installed; try: $(Join-Path $Scripts 'gm-classify.exe') {bundle} TEXT"
"""
"""``install.ps1``; to be formatted like ``install.sh``."""

READ_ME = """\
gm-edge for {platform}, Python {python}, with the bundle "{bundle}".

This folder needs no network. Copy it to the machine, then
  Linux, macOS:  sh install.sh
  Windows:       powershell -ExecutionPolicy Bypass -File install.ps1

It makes a virtual environment, installs the wheels whose SHA-256 stand in requirements.txt and no others, and replays
the golden texts of the bundle: it fails where this machine decides otherwise than the exporting one.
"""
"""``README.txt``; to be formatted with ``platform``, ``python`` and ``bundle``."""
