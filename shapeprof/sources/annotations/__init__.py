"""Annotations drawn as masks: COCO, YOLO segmentation, LabelMe and VIA.

``find`` finds documents and names their masks, ``classes`` numbers their categories, ``read`` draws
one mask. A mask is named after the image that it belongs to, relative to the root.

Importing this loads nothing else: ``sources.encoding`` needs ``source`` alone, without numpy.
"""
