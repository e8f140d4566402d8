"""Customers that do not exist, shopping through the real HTTP stack."""

from project.shop.traffic.crowd import Crowd

__all__ = ["Crowd"]
