"""The jwt_generator's key endpoint, without its endpoint that issues any token to anybody."""

from flask import Flask

from flops_local_oakestra.entrypoints.answers import answer_all_errors
from flops_local_oakestra.ports.tokens import Tokens


def key_app(tokens: Tokens) -> Flask:
    """Serve /key and /health."""
    app = Flask(__name__)
    answer_all_errors(app)

    @app.get("/key")
    def key() -> dict[str, str]:
        return {"public_key": tokens.public_key}

    @app.get("/health")
    def health() -> str:
        return "Working!"

    return app
