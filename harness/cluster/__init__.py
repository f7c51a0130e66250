"""Trials on the nodes of a Ray cluster: ``--executor ray``, with the extra ``ray``."""
