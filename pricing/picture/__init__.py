"""A picture of a model, drawn in numpy: seen at an angle, shaded like metal, its problem spots ringed and numbered."""

from pricing.picture.render import render

__all__ = ["render"]
