"""The standard cells whose programs are known."""

LIF = 0
IZHIKEVICH = 1
CELLS = {"IF_curr_exp": LIF, "Izhikevich": IZHIKEVICH}
