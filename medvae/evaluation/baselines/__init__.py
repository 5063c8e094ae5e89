"""What needs no denoising: linear codes, ComBat and histogram matching."""
