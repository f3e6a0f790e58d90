from servers import open_folder

__all__ = ["open_folder"]
