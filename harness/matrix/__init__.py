"""The plan, its sequential schedule, the executors, the results store and exclusive timing."""
