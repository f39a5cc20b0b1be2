"""The embedded tree for other processes of this machine, as ZooKeeper would serve it to them."""
