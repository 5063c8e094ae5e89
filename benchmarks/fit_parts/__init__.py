"""Parts of the study of fit-noise; `benchmarks/fit.py` runs them."""
