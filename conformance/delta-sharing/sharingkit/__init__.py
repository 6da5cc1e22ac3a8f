"""A black-box kit for any Delta Sharing server."""
