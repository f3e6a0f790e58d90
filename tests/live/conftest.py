"""What the live tests share: folders that foreign servers may read."""

from servers import open_folder

__all__ = ["open_folder"]
