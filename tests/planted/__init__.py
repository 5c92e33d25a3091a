"""Planted models: pictures of drawn people, spoilt in known ways, for the verdict to name.

Only tests may read a drawing's truth, so this lives here. No model is trained: what a model would have drawn is drawn
directly, then softened as a diffusion model's pictures are.
"""
