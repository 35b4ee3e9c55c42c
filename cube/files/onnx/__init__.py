"""Read networks from ONNX files: whole, or refused with the operators that are not understood."""
