"""The Flask app of a wired manager: API and pages."""

import logging

from flask import Flask

from flops_manager.adapters.accounts import OakestraAccounts
from flops_manager.adapters.model_servers import HttpModelServers
from flops_manager.adapters.oakestra_session import PROBE_TIMEOUT_SECONDS, OakestraSession
from flops_manager.adapters.tokens import token_verifier
from flops_manager.bootstrap import App, account_of
from flops_manager.entrypoints.api.callers import (
    Senders,
    UnverifiedSenders,
    VerifiedSenders,
    is_loopback,
)
from flops_manager.entrypoints.api.serving import UseCases, make_api
from flops_manager.entrypoints.web.site import add_site
from flops_manager.entrypoints.web.visitors import LocalVisitors, SignedInVisitors, Visitors
from flops_manager.settings import Settings
from flops_manager.usecases.root_check import RootCheck
from flops_runtime.environment import BadSettingsError

logger = logging.getLogger(__name__)


def create_app(app: App, settings: Settings) -> Flask:
    """Return the app; raise ``BadSettingsError`` if it would serve strangers."""
    use_cases = UseCases(
        app.projects,
        app.mocks,
        app.tracking,
        app.models,
        app.database,
        app.survey,
        root_check_for(settings),
    )
    flask = make_api(use_cases, senders_for(settings), max_streams=settings.max_streams)
    add_site(flask, use_cases, visitors_for(settings), HttpModelServers())
    return flask


def root_check_for(settings: Settings) -> RootCheck:
    """Return the check of the root for probes; it shares no lock with the manager's own calls."""
    account = account_of(settings)
    session = OakestraSession(settings.oakestra_url, account, timeout_seconds=PROBE_TIMEOUT_SECONDS)
    return RootCheck(session)


def visitors_for(settings: Settings) -> Visitors:
    """Return what authenticates visitors of the pages."""
    if not settings.auth:
        return LocalVisitors()
    verifier = token_verifier(settings.oakestra_url, settings.oakestra_key_url)
    return SignedInVisitors(verifier, OakestraAccounts(settings.oakestra_url))


def senders_for(settings: Settings) -> Senders:
    """Return what authenticates senders; without authentication only on loopback."""
    if settings.auth:
        return VerifiedSenders(token_verifier(settings.oakestra_url, settings.oakestra_key_url))
    if not is_loopback(settings.bind_address):
        raise BadSettingsError(
            f"FLOPS_AUTH is off, but FLOPS_BIND_ADDRESS is {settings.bind_address}.",
            hint="Without authentication bind to a loopback address, or set FLOPS_AUTH=on.",
        )
    logger.warning("FLOPS_AUTH is off: everyone on this machine may do everything")
    return UnverifiedSenders()
