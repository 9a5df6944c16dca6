"""Predict the classes of images with the trained model: ``python predict.py IMAGES --out predictions``."""

from pathlib import Path

from nn.predict import main

if __name__ == "__main__":
    raise SystemExit(main(folder=Path(__file__).resolve().parent))
