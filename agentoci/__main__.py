"""`python -m agentoci` is `agent`."""

from agentoci.cli.main import main

if __name__ == "__main__":
    main()
