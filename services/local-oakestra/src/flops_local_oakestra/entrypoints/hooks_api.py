"""The hooks of the root's resource abstractor over HTTP, without authentication as there."""

from typing import Any

from flask import Flask, jsonify, request

from flops_local_oakestra.domain.hooks import TakenHookError, UnacceptableHookError
from flops_local_oakestra.entrypoints.answers import answer_all_errors, failed, logger
from flops_local_oakestra.usecases.hooks import Hooks


def hooks_app(hooks: Hooks) -> Flask:
    """Serve /api/v1/hooks/."""
    app = Flask(__name__)
    answer_all_errors(app)

    @app.post("/api/v1/hooks/")
    def create() -> Any:
        return hooks.create(request.get_json()), 201

    @app.get("/api/v1/hooks/")
    def all_() -> Any:
        return jsonify(hooks.all())

    @app.delete("/api/v1/hooks/<hook_id>")
    def delete(hook_id: str) -> Any:
        hooks.delete(hook_id)
        return "", 204

    @app.errorhandler(UnacceptableHookError)
    def refuse(error: UnacceptableHookError) -> Any:
        logger.warning("hook refused: %s", error)
        return failed(422)

    @app.errorhandler(TakenHookError)
    def conflict(error: TakenHookError) -> Any:
        # The real database raises, and nobody there catches it.
        logger.warning("hook refused: %s", error)
        return failed(500)

    return app
