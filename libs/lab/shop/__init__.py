"""The shop that the lab runs: one file a service, with its tables and what its client programs do to them."""

from libs.lab.schema import Service
from libs.lab.shop.orders import ORDERS
from libs.lab.shop.payments import PAYMENTS
from libs.lab.shop.users import USERS

SERVICES: dict[str, Service] = {service.name: service for service in (ORDERS, PAYMENTS, USERS)}
"""Every service by its name."""
