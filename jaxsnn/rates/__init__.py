"""Linear rate neurons whose rows of weights learn by themselves: long stretches of plasticity, without a network.

A network of rates written as equations, with the rule `jaxsnn.plasticity.RATE_STDP`, can be anything. Where it is a
chain of linear stages, `learn` does the same steps much faster: a row of weights hears the common input and changes by
its own output alone, so a GPU keeps it in its registers from the first step to the last.
"""

from jaxsnn.rates.chain import Stage, learn

__all__ = ["Stage", "learn"]
