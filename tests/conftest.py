"""Shared by every test: one thread a process, so that parallel tests do not fight."""

import torch

torch.set_num_threads(1)
