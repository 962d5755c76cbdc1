"""The four services of the mesh: coordinator, shard, agent and judge. They never import each other."""
