"""Studies: what the verbs `study`, `check`, `report` and `forget` do with many runs of one plan."""
