"""The figures of a notebook."""

from lightbroker.lab.drawings.drawing import Drawing

DRAWINGS: tuple[Drawing, ...] = ()
