"""How tables come in: delimited text or typed columns, read field by field, all faults told at once."""
