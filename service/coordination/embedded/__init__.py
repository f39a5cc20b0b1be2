"""The versioned tree in this process, durable in two files: no ZooKeeper and no Java needed."""
