"""Networks as ONNX graphs: written from torch, checked against it, and computed by ONNX Runtime on a CPU.

Knows networks and tensors, no kind. A model says which networks it has (`Slot`), and what it makes of texts (`Model`).

    slot.py        what a model says about its networks
    writing.py     from torch to a file, with weights of 32 or 8 bits
    session.py     a graph in the place of a network
    checking.py    whether a graph gives what torch gives
    kept.py        graphs that a machine keeps, so that each is made once
    using.py       ONNX Runtime computes a loaded model
    exporting.py   a folder for other programs
"""
