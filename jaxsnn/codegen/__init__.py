"""From statements to functions: one printer, two targets (NumPy on the host, JAX in the step).

The package itself imports neither target: the host side takes `jaxsnn.codegen.host`, the simulation
`jaxsnn.codegen.lower`.
"""
