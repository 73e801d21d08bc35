"""Nothing here talks to a network; this switches off what the inference engines would send on their own.

onnxruntime 1.29 and later start a thread when they are imported that uploads usage events and keeps a
database of them in the user's cache folder; the thread also blocks the end of any forked child.
OpenVINO's Python package sends an event to an analytics service when it is imported.
"""

from __future__ import annotations

import os
import sys


def switch_telemetry_off() -> None:
    """Make later imports of onnxruntime and openvino silent, in this process and its children.

    An engine that the host program imported before this package is out of reach.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Importing a module that stands here as None raises ImportError; openvino and nncf then do without it.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
