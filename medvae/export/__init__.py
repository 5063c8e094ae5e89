"""A trained run as other tools load it: MONAI bundle, ONNX, Hugging Face layout."""

from medvae.export.run import FORMATS, export_run

__all__ = ["FORMATS", "export_run"]
