"""Backups of a store with the files of its models.

manifest     what a backup says of itself
containers   backups as folders and as tar files: written whole or not at all, and read
making       a backup of a store that is in use
checking     whether a backup is whole
restoring    a backup in the place of a store, and what makes the restored store start anew
"""
