"""What the groups of checks share."""

import dataclasses
import pathlib

from node import Node
from report import Report
from source import Flights


@dataclasses.dataclass
class Trade:
    """The two nodes, the table, and what the groups hand on to each other."""

    report: Report
    provider: Node
    consumer: Node
    flights: Flights
    folder: pathlib.Path
    agreements: dict = dataclasses.field(default_factory=dict)
    profiles: dict = dataclasses.field(default_factory=dict)

    def profile(self, product: str) -> pathlib.Path:
        """The profile file of a product that was traded."""
        return self.profiles[product]
