"""Whole groups in one GPU kernel: integrate, threshold and deliver in a single launch a step.

A kernel takes about two microseconds to start, so a step of small networks costs as many of them as there are
kernels. Here all of a group's work in a step is one. Spikes reach neurons of other programs of the kernel, which
may already be done or not yet begun; therefore what they add waits in buffers (`plan`), and the step is cut
elsewhere: a launch first finishes the step before (arrivals, then the reset) and then goes on to this one's
deliveries. Between runs nothing waits: the last step is finished at their end.

`plan` decides which groups qualify, `tile` lets a step's operations work on the part of a group that one program
of the kernel holds, `group` is the kernel, `run` the loop around it.
"""

from jaxsnn.simulation.fused.run import Fused

__all__ = ["Fused"]
