"""How a bucket is told which class it is to keep an object as."""

from everlog.model.storage_class import StorageClass


def class_attribute(storage_class: StorageClass) -> dict[str, str]:
    """Return what a request says of it: nothing of the default, which some servers do not know."""
    if storage_class is StorageClass.STANDARD:
        return {}
    return {"StorageClass": storage_class.name}
