"""Model: from labelled inputs and assumptions to an expression graph, and the cube that it fills."""
