"""How the schema became what it is: `NNNN_pre_<what>` before new code, `_post_` after it."""
