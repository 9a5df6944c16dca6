"""Check that the network is what spec.yaml says and that it learns: ``python verify.py``; ``--quick`` in seconds."""

from pathlib import Path

from nn.kit.verification import main

if __name__ == "__main__":
    raise SystemExit(main(folder=Path(__file__).resolve().parent))
