"""A module for each page. Each has ROUTES; its functions are plain ones, which Starlette runs in threads."""
