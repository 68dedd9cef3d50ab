"""Read the weights of a PP-OCRv6 recognizer from its ONNX file into a `LinePPOCR`."""
