"""``python -m boothlab`` is the ``boothlab`` command."""

from boothlab.cli.main import run

run()
