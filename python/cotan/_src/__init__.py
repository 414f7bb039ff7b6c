"""The implementation of the public modules; nothing here is public."""
