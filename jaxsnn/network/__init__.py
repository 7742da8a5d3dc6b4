"""The roof: joins what the user says with how it runs."""

from jaxsnn.network.network import Network

__all__ = ["Network"]
