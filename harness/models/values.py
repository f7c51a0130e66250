"""Ranges of the values that the built-in models share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Hidden = Annotated[int, Field(ge=1, le=8192, description="width of every layer")]
Layers = Annotated[int, Field(ge=1, le=64, description="number of convolutions")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="dropout after each convolution")]
Heads = Annotated[int, Field(ge=1, le=64, description="attention heads; hidden is divided by it")]
