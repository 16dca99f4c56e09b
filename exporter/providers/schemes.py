"""The schemes by which requests are signed, each with the credentials that it needs, by their names."""

from collections.abc import Mapping

SCHEMES: Mapping[str, tuple[str, ...]] = {
    "alibaba_acs3": ("access_key_id", "access_key_secret"),
    "ovh": ("application_key", "application_secret", "consumer_key"),
    "smsglobal_mac": ("api_key", "api_secret"),
    "tencent_tc3": ("secret_id", "secret_key"),
    "zadarma": ("api_key", "api_secret"),
}
