"""The models as expression graphs: nodes, leaf tables over named axes, folding, evaluation; numbers only, no labels."""
