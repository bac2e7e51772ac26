"""How publishing is configured: environment variables ``TOUCHSTONE_GRAFANA_...``, or arguments."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashboards.sources import PREFIX
from instrumentation.errors import BadInput


class Settings(BaseSettings):
    """Where Grafana is, and who publishes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    url: str = "http://127.0.0.1:3000"
    token: SecretStr | None = Field(default=None, description="A service account's token, with the role Admin.")
    timeout_s: float = Field(default=10.0, gt=0)

    def secret(self) -> str:
        """Return the token. Raises BadInput where there is none."""
        if self.token is None or not self.token.get_secret_value():
            raise BadInput(
                f"no token for Grafana: set {PREFIX}TOKEN to that of a service account with the role Admin"
                " (Administration, Users and access, Service accounts)"
            )
        return self.token.get_secret_value()
