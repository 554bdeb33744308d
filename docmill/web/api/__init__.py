"""The REST interface `/v1`: operations declared once, from which routes, checks and the OpenAPI document follow.

    operation     what an operation is: method, path, role, models of query, body and answer
    routes        the operations of all modules, as routes of the server
    handling      a request: who asks, how often, what, and the answer
    problems      every error as application/problem+json (RFC 9457)
    openapi       the OpenAPI document

The modules with `OPERATIONS` are listed in `routes.MODULES`. Paths for OpenAI's clients are in docmill.web.openai.
"""
