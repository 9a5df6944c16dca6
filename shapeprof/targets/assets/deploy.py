"""Write the trained network as ONNX or for torch.export: ``python deploy.py --onnx model.onnx``; see ``--help``."""

from pathlib import Path

from nn.kit.deployment import main

if __name__ == "__main__":
    raise SystemExit(main(folder=Path(__file__).resolve().parent))
