"""Train the model that spec.yaml describes: ``python train.py``; ``--help`` lists what can be changed."""

from pathlib import Path

from nn.train import main

if __name__ == "__main__":  # loader processes import this file again where they are spawned
    raise SystemExit(main(folder=Path(__file__).resolve().parent))
