"""Signing in: staff by JWT, customers by account, machines by client credentials; whoever is not let in is kept out."""

from services.auth.access import CUSTOMER_COOKIE, SESSION_PREFIX, STAFF_COOKIE, Access, CustomerGate
from services.auth.accounts import Accounts, AccountTables, UtcMoment, account_tables, normal_email
from services.auth.attempts import Attempts
from services.auth.browser import clear_cookie, cookie_name, local_page, same_origin, set_cookie
from services.auth.gates import Gate, access_of, customers, public, require, visitor
from services.auth.guard import guard, undeclared
from services.auth.issuer import DEMO_PEOPLE, DemoIssuer, refuse_beyond_loopback
from services.auth.issuer_app import create_issuer_app, issuer_routes
from services.auth.keys import Discovery, FetchedKeys, FixedKeys, Keys
from services.auth.machine import ServiceToken, SignInFailed, command_token
from services.auth.people import STAFF, Person, Role
from services.auth.settings import AuthSettings, create_access
from services.auth.sign_in import sign_in_routes
from services.auth.tokens import StaffVerifier

__all__ = [
    "CUSTOMER_COOKIE",
    "DEMO_PEOPLE",
    "SESSION_PREFIX",
    "STAFF",
    "STAFF_COOKIE",
    "Access",
    "AccountTables",
    "Accounts",
    "Attempts",
    "AuthSettings",
    "CustomerGate",
    "DemoIssuer",
    "Discovery",
    "FetchedKeys",
    "FixedKeys",
    "Gate",
    "Keys",
    "Person",
    "Role",
    "ServiceToken",
    "SignInFailed",
    "StaffVerifier",
    "UtcMoment",
    "access_of",
    "account_tables",
    "clear_cookie",
    "command_token",
    "cookie_name",
    "create_access",
    "create_issuer_app",
    "customers",
    "guard",
    "issuer_routes",
    "local_page",
    "normal_email",
    "public",
    "refuse_beyond_loopback",
    "require",
    "same_origin",
    "set_cookie",
    "sign_in_routes",
    "undeclared",
    "visitor",
]
