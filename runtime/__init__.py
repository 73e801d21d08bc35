"""Run: classify texts on the plant floor with numpy and onnxruntime only."""
