"""A copy of the pages as files, for those who may not run a server.

limits              how much of the store is copied, and which page gets which file
asking              a page of the application, without a network
rewriting           links between files, no forms, no scripts, a policy in the page itself
folder              the folder is replaced as a whole
making              all of it
"""
